import { type Command, EXIT, UsageError } from '../command.ts';
import { deliver } from '../formats.ts';
import { type ApiDocument, collectionOf } from '../postman/collection.ts';

export const command: Command = {
  usage: 'openapi [--postman all|journey] [-o FILE]',
  examples: [
    ['caudal openapi -o openapi.json', 'for code generators, Bruno'],
    ['caudal openapi --postman all -o caudal.postman_collection.json', 'for Postman: a tested journey and every call'],
  ],
  options: {
    output: { type: 'string', short: 'o', value: 'FILE', doc: 'Write there' },
    postman: { type: 'string', value: 'WHAT', doc: 'As a Postman collection: all, or the journey alone' },
  },
  traced: true,
  async run(context) {
    const client = await context.client();
    const what = context.text('postman');
    if (what === undefined) {
      await deliver(context, await client.call('openapi.json'));
      return EXIT.ok;
    }
    if (what !== 'all' && what !== 'journey') throw new UsageError('--postman must be all or journey.');
    const collection = collectionOf(await client.get<ApiDocument>('openapi.json'), { reference: what === 'all' });
    await deliver(context, new Response(`${JSON.stringify(collection, null, 2)}\n`));
    return EXIT.ok;
  },
};
