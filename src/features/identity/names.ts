import { domainToASCII } from 'node:url';
import type { FieldError } from '#kernel/errors.ts';

/** A checked value, or what is wrong with it. */
export type Checked = { value: string } | { error: FieldError };

const LONGEST_NAME = 64;
/** RFC 5321 §4.5.3.1.3: a path is at most 256 octets, two of them angle brackets. */
const LONGEST_EMAIL = 254;
const LONGEST_LOCAL = 64;

const USERNAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$/u;
const LATIN = /\p{Script=Latin}/u;
/** The scripts whose letters are taken for Latin ones. */
const LATIN_LOOKALIKES = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Cherokee}\p{Script=Armenian}]/u;

/** The first administrator's name; never given away. */
export const OPERATOR = 'operator';

/**
 * The username as it is kept: NFKC, so that full-width or ligature letters cannot make a second
 * "admin"; uniqueness ignores case (in the database). Zero-width characters are no letters, and a
 * name that mixes Latin with its lookalikes is refused. Source: Unicode TS 39, §5.1 (mixed scripts).
 */
export function checkUsername(text: string): Checked {
  const value = text.normalize('NFKC').trim();
  const wrong = (code: string, message: string): Checked => ({ error: { field: 'username', code, message } });
  if (value === '') return wrong('required', 'Choose a username.');
  if ([...value].length > LONGEST_NAME) return wrong('too_long', `A username has at most ${LONGEST_NAME} characters.`);
  if (!USERNAME.test(value))
    return wrong('invalid', 'A username begins with a letter or digit; then also dots, dashes and underscores.');
  if (LATIN.test(value) && LATIN_LOOKALIKES.test(value))
    return wrong('mixed_scripts', 'The username mixes letters of alphabets that look alike.');
  return { value };
}

const LOCAL = /^[^\s@<>()[\]\\,;:"\p{C}]+$/u;
const DOMAIN = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/;

/**
 * The address as it is kept: NFC, its domain as lower-case ASCII (IDNA); the part before the @ as
 * typed, though uniqueness ignores its case. Quoted local parts and address literals are refused.
 */
export function checkEmail(text: string, field = 'email'): Checked {
  const value = canonicalEmail(text);
  if (value !== undefined) return { value };
  return {
    error: { field, code: 'invalid', message: 'This is not an e-mail address; it looks like name@example.org.' },
  };
}

/** The kept form, or undefined when it is no address. */
export function canonicalEmail(text: string): string | undefined {
  const typed = text.normalize('NFC').trim();
  const at = typed.lastIndexOf('@');
  const local = typed.slice(0, Math.max(at, 0));
  const domain = at < 0 ? '' : domainToASCII(typed.slice(at + 1)).toLowerCase();
  if (!LOCAL.test(local) || local.startsWith('.') || local.endsWith('.') || local.includes('..')) return undefined;
  if (local.length > LONGEST_LOCAL || !DOMAIN.test(domain)) return undefined;
  const email = `${local}@${domain}`;
  return email.length <= LONGEST_EMAIL ? email : undefined;
}

/** A name that people read (workspace, token): one line, no control or invisible characters. */
export function checkTitle(text: string, field = 'name'): Checked {
  const value = text.normalize('NFC').trim();
  if (value === '') return { error: { field, code: 'required', message: 'Give it a name.' } };
  if ([...value].length > 200) {
    return { error: { field, code: 'too_long', message: 'A name has at most 200 characters.' } };
  }
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(value.replaceAll('\u200d', ''))) {
    return { error: { field, code: 'invalid', message: 'The name holds characters that cannot be seen.' } };
  }
  return { value };
}
