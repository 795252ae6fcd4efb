import { type Command, EXIT, type Option } from './command.ts';
import { COMMANDS, type CommandName } from './table.ts';
import { displayWidth, type Terminal } from './terminal.ts';

const MEANING: Record<keyof typeof EXIT, string> = {
  ok: 'done',
  failed: 'the work failed or was refused',
  usage: 'the command line or a setting is wrong',
  unreachable: 'no Caudal answers at that URL',
  denied: 'the token is missing, wrong or may not do this',
  interrupted: 'Ctrl-C',
};

export const HELP: Option = { type: 'boolean', short: 'h', doc: 'This help' };

function aligned(pairs: (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...pairs.map(([left]) => displayWidth(left)));
  return pairs.map(([left, right]) => `  ${left}${' '.repeat(width - displayWidth(left))}  ${right}`);
}

/** `caudal help` */
export function overview(terminal: Terminal): string {
  const groups = Map.groupBy(Object.entries(COMMANDS), ([, entry]) => entry.group);
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const listed = [...groups].flatMap(([group, entries]) => [
    terminal.paint('bold', group),
    ...entries.map(([name, entry]) => `  ${name.padEnd(width)}  ${entry.summary}`),
    '',
  ]);
  const codes = Object.entries(EXIT).map(([name, code]) => [String(code), MEANING[name as keyof typeof EXIT]] as const);
  return [
    'Caudal — files and events in, typed datasets out, every row traceable.',
    '',
    `${terminal.paint('bold', 'Usage')}  caudal <command> [arguments] [options]`,
    '',
    ...listed,
    'Commands that ask a running Caudal use CAUDAL_URL and CAUDAL_TOKEN, or admin.json of the local data directory.',
    'caudal <command> --help explains one with examples; caudal check-config lists the settings.',
    '',
    terminal.paint('bold', 'Exit codes'),
    ...aligned(codes),
  ].join('\n');
}

/** `caudal <command> --help` */
export function explain(terminal: Terminal, name: CommandName, command: Command): string {
  const options = Object.entries({ ...command.options, help: HELP }).map(([long, option]) => {
    const short = option.short ? `-${option.short}, ` : '    ';
    const value = option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : '';
    return [`${short}--${long}${value}`, `${option.doc}${option.multiple ? ' (may be repeated)' : ''}`] as const;
  });
  return [
    COMMANDS[name].summary,
    '',
    `${terminal.paint('bold', 'Usage')}  caudal ${command.usage}`,
    ...(command.description ? ['', command.description] : []),
    '',
    terminal.paint('bold', 'Options'),
    ...aligned(options),
    '',
    terminal.paint('bold', 'Examples'),
    ...command.examples.flatMap(([line, what]) => [`  ${terminal.paint('dim', `# ${what}`)}`, `  ${line}`]),
  ].join('\n');
}
