import type { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { SaxesParser, type SaxesTagPlain } from 'saxes';
import { CaudalError, fail } from '#kernel/errors.ts';
import type { Budget } from '../open/budget.ts';
import { zipError } from '../open/zip.ts';

export interface XmlHandlers {
  /** Names come without their namespace prefix. */
  open(name: string, attributes: Record<string, string>): void;
  close?(name: string): void;
  text?(text: string): void;
}

/**
 * Parses one part of a workbook as it is unpacked. Documents with a DOCTYPE are refused: workbooks
 * have none, and it is what entity bombs are declared in.
 * @throws malformed_xml, value_too_large, decompression_bomb, corrupt_file
 */
export async function parseXml(
  part: string,
  input: Readable,
  budget: Budget,
  max_value_bytes: number,
  handlers: XmlHandlers,
): Promise<void> {
  const parser = new SaxesParser({ xmlns: false, position: true });
  let since_tag = 0;
  parser.on('doctype', () => {
    throw fail('malformed_xml', `“${part}” in the workbook declares a document type, which workbooks never do.`, {
      hint: 'Open it in Excel or LibreOffice, save it as a new .xlsx, and upload that.',
    });
  });
  parser.on('opentag', (tag: SaxesTagPlain) => {
    since_tag = 0;
    handlers.open(localName(tag.name), tag.attributes);
  });
  parser.on('closetag', (tag: SaxesTagPlain) => {
    since_tag = 0;
    handlers.close?.(localName(tag.name));
  });
  if (handlers.text) parser.on('text', handlers.text);
  try {
    for await (const text of decoded(input, budget)) {
      since_tag += text.length;
      if (since_tag > max_value_bytes)
        throw fail('value_too_large', `A value in “${part}” of the workbook is too large.`);
      parser.write(text);
    }
    parser.close();
  } catch (error) {
    throw describe(part, error);
  }
}

async function* decoded(input: Readable, budget: Budget): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    budget.take(chunk.length);
    decoder ??= new TextDecoder(encodingOf(chunk));
    yield decoder.decode(chunk, { stream: true });
  }
  if (decoder) yield decoder.decode();
}

function encodingOf(head: Buffer): string {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  return 'utf-8';
}

function localName(name: string): string {
  const colon = name.indexOf(':');
  return colon === -1 ? name : name.slice(colon + 1);
}

function describe(part: string, error: unknown): Error {
  if (error instanceof CaudalError) return error;
  const message = error instanceof Error ? error.message : String(error);
  // saxes writes `line:column: what is wrong`; anything else came from unpacking.
  if (!/^\d+:\d+: /.test(message)) return zipError(error);
  return fail('malformed_xml', `“${part}” in the workbook is not well-formed XML (${message.replace(/\.$/, '')}).`, {
    hint: 'Open it in Excel or LibreOffice, let it be repaired, save it as a new .xlsx, and upload that.',
    cause: error,
  });
}
