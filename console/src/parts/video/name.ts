import type { Task } from '../../../../src/contract/tasks.ts';
import type { VideoInput } from '../../../../src/contract/video.ts';

/** What a person calls the video: its file's name, or the last step of its address. */
export function nameOf({ input }: Pick<Task, 'input'>): string {
  const { filename, url } = input as VideoInput;
  if (filename !== undefined) return filename;
  if (url === undefined || !URL.canParse(url)) return url ?? '';
  const { host, pathname } = new URL(url);
  const last = pathname.split('/').filter(Boolean).at(-1);
  return last === undefined ? host : decoded(last);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
