import { ROLES } from '#roles/table.ts';
import { type Command, EXIT } from '../command.ts';

export const command: Command = {
  usage: 'list-roles [--json]',
  examples: [['caudal list-roles', 'what can follow caudal serve --roles']],
  options: { json: { type: 'boolean', doc: 'As JSON' } },
  async run({ terminal, flag }) {
    const roles = Object.entries(ROLES).map(([name, { summary, needs }]) => ({ name, summary, needs }));
    if (flag('json')) {
      terminal.json(roles);
      return EXIT.ok;
    }
    for (const { name, summary, needs } of roles) {
      terminal.line(`${terminal.paint('bold', name)}\n  ${summary}\n  ${terminal.paint('dim', `needs ${needs}`)}`);
    }
    return EXIT.ok;
  },
};
