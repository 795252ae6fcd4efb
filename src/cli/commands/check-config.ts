import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describeConfig, SETTINGS } from '#config';
import { findEngine } from '#features/video/engine.ts';
import { type Command, EXIT } from '../command.ts';
import { suggest } from '../suggest.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'check-config [--json]',
  description:
    'Every setting with its value and where it comes from; secrets are masked. Exit code 2 when one does not fit.',
  examples: [
    ['caudal check-config', 'what is in force'],
    ['caudal check-config --json', 'the same for scripts'],
  ],
  options: { json: { type: 'boolean', doc: 'As JSON' } },
  async run({ terminal, env, config, flag }) {
    const settings = describeConfig(config(), env);
    if (flag('json')) {
      terminal.json(settings);
      return EXIT.ok;
    }
    const rows = settings.map(({ env: name, value, from }) => [name, value, from === 'default' ? '' : from]);
    terminal.line(textTable(terminal, [{ name: 'setting' }, { name: 'value' }, { name: 'set by' }], rows));
    for (const name of unknownSettings(env)) {
      const near = suggest(
        name,
        Object.values(SETTINGS).map((setting) => setting.env),
      );
      terminal.note(
        `${terminal.paint('yellow', 'warning:')} ${name} is no setting of Caudal${near ? `; did you mean ${near}?` : ''}`,
      );
    }
    const engine = engineLine(config().ffmpeg);
    if (engine.found) terminal.note(`videos: ${engine.words}`);
    else terminal.note(`${terminal.paint('yellow', 'warning:')} ${engine.words}`);
    if (!onPath(env['PATH'] ?? '', 'prlimit')) {
      terminal.note(
        `${terminal.paint('yellow', 'warning:')} there is no prlimit here, so the memory of reader and SQL processes is limited by their engines only`,
      );
    }
    return EXIT.ok;
  },
};

/** Which engine processes videos here, or why none does. */
function engineLine(setting: string): { found: boolean; words: string } {
  try {
    const { ffmpeg, version, zscale } = findEngine(setting);
    return {
      found: true,
      words: `ffmpeg ${version} (${ffmpeg})${zscale ? '' : ', without zscale: HDR is not tone-mapped'}`,
    };
  } catch (error) {
    return { found: false, words: (error as Error).message };
  }
}

function onPath(path: string, program: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A misspelt setting would be ignored in silence. */
function unknownSettings(env: Record<string, string | undefined>): string[] {
  const known = new Set(Object.values(SETTINGS).flatMap(({ env: name }) => [name, `${name}_FILE`]));
  return Object.keys(env).filter(
    (name) => name.startsWith('CAUDAL_') && !/^CAUDAL_(TEST|BENCH|SHARED|SUPERVISED)/.test(name) && !known.has(name),
  );
}
