import { BITS32, BITS64, LENGTH, readTag, readUint32, seek, skipField, take, VARINT, wrongWireType } from './cursor.ts';
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  type JsonText,
  OPEN_ARRAY,
  writeAscii,
  writeByte,
  writeRaw,
} from './json-text.ts';
import { writeAttributes } from './read-attributes.ts';
import { bitOf, meet, type Reading, readId, readText } from './reading.ts';
import { formatNs, isTime } from './times.ts';

/** Writes a span's events as JSON, each a field with this tag. */
export function writeEvents(reading: Reading, end: number, tag: number): void {
  writeEach(reading, end, tag, writeEvent);
}

/** Writes a span's links as JSON, each a field with this tag. */
export function writeLinks(reading: Reading, end: number, tag: number): void {
  writeEach(reading, end, tag, writeLink);
}

function writeEach(reading: Reading, end: number, tag: number, write: (reading: Reading, end: number) => void): void {
  let separator = OPEN_ARRAY;
  for (let stop = seek(reading, end, tag); stop !== -1; stop = seek(reading, end, tag)) {
    writeByte(reading.json, separator);
    separator = COMMA;
    write(reading, stop);
    reading.at = stop;
  }
  writeByte(reading.json, CLOSE_ARRAY);
}

const EVENT_TIME = (1 << 3) | BITS64;
const EVENT_NAME = (2 << 3) | LENGTH;
const EVENT_ATTRIBUTE = (3 << 3) | LENGTH;
const EVENT_DROPPED = (4 << 3) | VARINT;
/** Fields 1 to 4. */
const OF_EVENT = 0b1_1110;
const ONCE_IN_EVENT = OF_EVENT & ~bitOf(EVENT_ATTRIBUTE);

function writeEvent(reading: Reading, end: number): void {
  const { json, at: start } = reading;
  let met = 0;
  let time = 0n;
  let name = '';
  let dropped = 0;
  while (reading.at < end) {
    const { at } = reading;
    const tag = readTag(reading, end);
    met = meet(met, tag, ONCE_IN_EVENT);
    if (tag === EVENT_TIME) time = reading.view.getBigUint64(take(reading, 8, end), true);
    else if (tag === EVENT_NAME) name = readText(reading, end);
    else if (tag === EVENT_DROPPED) dropped = readUint32(reading, end);
    else if (tag !== EVENT_ATTRIBUTE && (bitOf(tag) & OF_EVENT) !== 0) throw wrongWireType(tag, at);
    else skipField(reading, tag & 7, end);
  }
  writeAscii(json, '{"name":');
  writeRaw(json, JSON.stringify(name));
  writeAscii(json, isTime(time) ? `,"time":"${formatNs(time)}","attributes":` : ',"time":null,"attributes":');
  reading.at = start;
  writeAttributes(reading, end, EVENT_ATTRIBUTE, 0, null);
  writeCount(json, 'dropped', dropped);
  writeByte(json, CLOSE_OBJECT);
}

const LINK_TRACE_ID = (1 << 3) | LENGTH;
const LINK_SPAN_ID = (2 << 3) | LENGTH;
const LINK_TRACE_STATE = (3 << 3) | LENGTH;
const LINK_ATTRIBUTE = (4 << 3) | LENGTH;
const LINK_DROPPED = (5 << 3) | VARINT;
const LINK_FLAGS = (6 << 3) | BITS32;
/** Fields 1 to 6. */
const OF_LINK = 0b111_1110;
const ONCE_IN_LINK = OF_LINK & ~bitOf(LINK_ATTRIBUTE);

function writeLink(reading: Reading, end: number): void {
  const { json, at: start } = reading;
  let met = 0;
  let traceId: string | null = null;
  let spanId: string | null = null;
  let traceState = '';
  let dropped = 0;
  let flags = 0;
  while (reading.at < end) {
    const { at } = reading;
    const tag = readTag(reading, end);
    met = meet(met, tag, ONCE_IN_LINK);
    if (tag === LINK_TRACE_ID) traceId = readId(reading, end, 16);
    else if (tag === LINK_SPAN_ID) spanId = readId(reading, end, 8);
    else if (tag === LINK_TRACE_STATE) traceState = readText(reading, end);
    else if (tag === LINK_DROPPED) dropped = readUint32(reading, end);
    else if (tag === LINK_FLAGS) flags = reading.view.getUint32(take(reading, 4, end), true);
    else if (tag !== LINK_ATTRIBUTE && (bitOf(tag) & OF_LINK) !== 0) throw wrongWireType(tag, at);
    else skipField(reading, tag & 7, end);
  }
  writeAscii(json, `{"trace_id":${quoted(traceId)},"span_id":${quoted(spanId)},"attributes":`);
  reading.at = start;
  writeAttributes(reading, end, LINK_ATTRIBUTE, 0, null);
  if (traceState) writeRaw(json, `,"trace_state":${JSON.stringify(traceState)}`);
  writeCount(json, 'flags', flags);
  writeCount(json, 'dropped', dropped);
  writeByte(json, CLOSE_OBJECT);
}

function quoted(id: string | null): string {
  return id === null ? 'null' : `"${id}"`;
}

/** A property that is left out when it is 0. */
function writeCount(json: JsonText, name: string, count: number): void {
  if (count > 0) writeAscii(json, `,"${name}":${count}`);
}
