import type { DescMessage } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A message as its fields stand on the wire, to be put together again in ways that no encoder would. */
export type WireMessage = WireField[];

export interface WireField {
  number: number;
  wire: WireType;
  /** What stands behind the tag, without a length; of a message its fields. */
  content: Uint8Array | WireMessage;
}

export function parseWire(desc: DescMessage, bytes: Uint8Array): WireMessage {
  const reader = new BinaryReader(bytes);
  const message: WireMessage = [];
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const content = wire === WireType.LengthDelimited ? reader.bytes() : reader.skip(wire, number);
    const inner = desc.fields.find((field) => field.number === number)?.message;
    message.push({ number, wire, content: inner ? parseWire(inner, content) : content });
  }
  return message;
}

export function writeWire(message: WireMessage): Uint8Array {
  const writer = new BinaryWriter();
  for (const { number, wire, content } of message) {
    const bytes = Array.isArray(content) ? writeWire(content) : content;
    writer.tag(number, wire);
    if (wire === WireType.LengthDelimited) writer.bytes(bytes);
    else writer.raw(bytes);
  }
  return writer.finish();
}

/** A message and every message in it. */
export function messagesIn(message: WireMessage): WireMessage[] {
  return [message, ...message.flatMap(({ content }) => (Array.isArray(content) ? messagesIn(content) : []))];
}
