const NOT_TOKEN = /[^\x20-\x7e]|["\\%/]/g;
const NOT_ATTRIBUTE = /['()*]/g;
/** Bidirectional controls can make `gpj.exe` read as `exe.jpg`; control characters have no place in a name. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
const DECEPTIVE = /[\u0000-\u001f\u007f\u0080-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const LONGEST = 150;

/** A name short enough for URLs and headers: the middle goes, the ending stays. */
export function shortFilename(filename: string): string {
  const characters = [...filename.toWellFormed().replace(DECEPTIVE, ' ')];
  if (characters.length <= LONGEST) return characters.join('');
  const dot = characters.lastIndexOf('.');
  const ending = dot > 0 && characters.length - dot <= 20 ? characters.slice(dot) : [];
  return [...characters.slice(0, LONGEST - ending.length - 1), '…', ...ending].join('');
}

/**
 * `attachment; filename="…"; filename*=UTF-8''…`: the plain name for old clients, the true one in
 * RFC 8187's coding. Source: RFC 6266 §4 and its appendix D.
 */
export function contentDisposition(kind: 'attachment' | 'inline', filename: string): string {
  const name = shortFilename(filename).trim() || 'download';
  const plain = name.replace(NOT_TOKEN, '_');
  if (plain === name) return `${kind}; filename="${plain}"`;
  const encoded = encodeURIComponent(name).replace(
    NOT_ATTRIBUTE,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

const MEDIA_TYPE = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}(?:;[ \w!#$&^.+="-]{0,100})?$/;

/** The type as it was given if it is one; otherwise bytes. */
export function safeContentType(type: string | undefined | null): string {
  return type && MEDIA_TYPE.test(type) ? type : 'application/octet-stream';
}
