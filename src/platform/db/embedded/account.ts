import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * PostgreSQL refuses to run as root. Started by root it runs as `nobody`, or, where nobody
 * cannot reach the directory, under a user namespace that shows it another uid.
 */
export type Account =
  | { kind: 'self' }
  | { kind: 'nobody'; uid: number; gid: number }
  | { kind: 'namespace'; uid: 0; gid: 0 };

export interface Command {
  file: string;
  args: string[];
  uid?: number;
  gid?: number;
}

const NAMESPACE = ['--user', '--map-user=1000', '--map-group=1000'];

/** @throws when root has no way to run it here. */
export function chooseAccount(dir: string): Account {
  if (process.getuid?.() !== 0) return { kind: 'self' };
  const nobody = { kind: 'nobody', ...lookUpNobody() } as const;
  if (reaches(nobody, dir)) return nobody;
  const inside = spawnSync('unshare', [...NAMESPACE, 'test', '-x', dir], { stdio: 'ignore' });
  if (inside.status === 0) return { kind: 'namespace', uid: 0, gid: 0 };
  throw new Error(
    `The embedded PostgreSQL cannot run in ${dir}: it may not run as root, and the user "nobody" cannot reach that directory. ` +
      'Set CAUDAL_DATA_DIR to a place that everybody may enter (such as /var/lib/caudal), start Caudal as a normal user, or set DATABASE_URL.',
  );
}

function lookUpNobody(): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('nobody:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}

/** Whether the account may enter the directory or run the file; asked of the kernel, so ACLs count too. */
export function reaches(account: Account, path: string): boolean {
  if (account.kind !== 'nobody') return true;
  const { uid, gid } = account;
  return spawnSync('test', ['-x', path, '-a', '-r', path], { uid, gid, cwd: '/', stdio: 'ignore' }).status === 0;
}

const PDEATHSIG = /--pdeathsig/;

/** Whether `setpriv` can bind a child's life to ours (util-linux ≥ 2.33). */
export function hasSetpriv(): boolean {
  const help = spawnSync('setpriv', ['--help'], { encoding: 'utf8' });
  return help.status === 0 && PDEATHSIG.test(help.stdout);
}

/**
 * The command as the account runs it. With `setpriv`, the child gets SIGINT (PostgreSQL's fast
 * shutdown) when its parent dies. `unshare` comes before `setpriv`: entering a namespace
 * changes credentials, which clears the parent-death signal.
 */
export function commandFor(account: Account, file: string, args: string[], setpriv: boolean): Command {
  if (account.kind === 'namespace') {
    const inner = setpriv ? ['setpriv', '--pdeathsig', 'INT', file] : [file];
    return { file: 'unshare', args: [...NAMESPACE, ...inner, ...args] };
  }
  if (!setpriv) {
    return account.kind === 'nobody' ? { file, args, uid: account.uid, gid: account.gid } : { file, args };
  }
  const identity =
    account.kind === 'nobody' ? [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'] : [];
  return { file: 'setpriv', args: [...identity, '--pdeathsig', 'INT', file, ...args] };
}
