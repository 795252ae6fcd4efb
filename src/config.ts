import { readFileSync } from 'node:fs';
import { type Setting, Unfit } from '#kernel/setting.ts';
import { ANSWERS } from './config/answers.ts';
import { CONTENT } from './config/content.ts';
import { PROCESSES } from './config/processes.ts';
import { WATCHING } from './config/watching.ts';

/**
 * Every setting of every room, in the order in which `.env.example` and `caudal check-config`
 * list them; the rooms' own are in `config/`. The key is the name in `Config`.
 */
export const SETTINGS = {
  ...PROCESSES,
  ...CONTENT,
  ...ANSWERS,
  ...WATCHING,
} satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;
export type Config = { readonly [K in SettingName]: ReturnType<(typeof SETTINGS)[K]['parse']> };

export interface InvalidSetting {
  env: string;
  message: string;
}

/** All that is wrong at once, so that it is put right in one go. */
export class InvalidConfig extends Error {
  readonly settings: InvalidSetting[];

  constructor(settings: InvalidSetting[]) {
    super(`These settings do not fit:\n${settings.map(({ env, message }) => `  ${env} ${message}`).join('\n')}`);
    this.name = 'InvalidConfig';
    this.settings = settings;
  }
}

export type Environment = Record<string, string | undefined>;

function given(env: Environment, setting: Setting<unknown>): string | undefined {
  const plain = env[setting.env]?.trim();
  if (plain) return plain;
  const file = setting.secret ? env[`${setting.env}_FILE`] : undefined;
  if (!file) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new Unfit(`could not be read from ${file} (${setting.env}_FILE): ${(error as Error).message}`);
  }
}

function initial(setting: Setting<unknown>): unknown {
  return setting.initial ? setting.initial() : setting.parse(setting.fallback);
}

/**
 * All settings, typed and checked, from an environment (usually `process.env`).
 * @throws InvalidConfig that lists every setting that does not fit.
 */
export function readConfig(env: Environment): Config {
  const wrong: InvalidSetting[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS) as [string, Setting<unknown>][]) {
    try {
      const text = given(env, setting);
      values[name] = text === undefined ? initial(setting) : setting.parse(text);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      wrong.push({ env: setting.env, message: error.message });
    }
  }
  if (Number(values['workersMax']) < Number(values['workersMin'])) {
    wrong.push({ env: 'CAUDAL_WORKERS_MAX', message: 'must not be less than CAUDAL_WORKERS_MIN' });
  }
  if (wrong.length > 0) throw new InvalidConfig(wrong);
  return values as unknown as Config;
}

export interface DescribedSetting {
  env: string;
  /** As a person may see it: secrets are masked. */
  value: string;
  from: 'default' | 'environment';
  doc: string;
}

/** What `caudal check-config` prints; no secret is in it. */
export function describeConfig(config: Config, env: Environment): DescribedSetting[] {
  return (Object.entries(SETTINGS) as [SettingName, Setting<unknown>][]).map(([name, setting]) => ({
    env: setting.env,
    value: shown(setting, config[name]),
    from: env[setting.env] || (setting.secret && env[`${setting.env}_FILE`]) ? 'environment' : 'default',
    doc: setting.doc,
  }));
}

function shown(setting: Setting<unknown>, value: unknown): string {
  if (value === '' || (Array.isArray(value) && value.length === 0)) return '';
  if (setting.show) return setting.show(value);
  return setting.secret ? '********' : String(value);
}

/** The text of `.env.example`; a test keeps the file equal to it. */
export function exampleEnvironment(): string {
  const lines = (Object.values(SETTINGS) as Setting<unknown>[]).map((setting) => {
    const file = setting.secret ? ` (secret; ${setting.env}_FILE may name a file)` : '';
    return `# ${setting.doc}${file}\n#${setting.env}=${setting.fallback}\n`;
  });
  return `# Settings of Caudal with their defaults. Copy this file to .env and uncomment what you change;\n# variables of the environment come first. \`./caudal check-config\` prints what is in force.\n\n${lines.join('\n')}`;
}
