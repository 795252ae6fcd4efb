import { flushCompileCache } from 'node:module';
import { armFaults } from '#kernel/fault-points.ts';
import { parseRoles, UnknownRole } from '#roles/table.ts';
import { type Command, EXIT, UsageError } from '../command.ts';

/** By then everything is loaded; at its end a killed process would keep nothing for the next. */
const CACHE_AFTER_MS = 10_000;

export const command: Command = {
  usage: 'serve --roles ROLE[,ROLE…]',
  description:
    'What `caudal up` starts, and what nginx, ECS or Kubernetes run. Needs DATABASE_URL and a migrated database.',
  examples: [
    ['caudal serve --roles api,worker', 'gateway and worker in one process'],
    ['caudal serve --roles all', 'every role in one process'],
  ],
  options: {
    roles: { type: 'string', value: 'ROLES', doc: 'Names with commas between, or all (caudal list-roles)' },
  },
  async run(context) {
    const text = context.text('roles');
    if (!text) throw new UsageError('Which roles?', 'Usage: caudal serve --roles ROLE[,ROLE…]');
    const roles = rolesOf(text);
    dieWithSupervisor();
    armFaults(context.env['CAUDAL_FAULT_DIR']);
    setTimeout(flushCompileCache, CACHE_AFTER_MS).unref();
    const { serve } = await import('#roles/serve.ts');
    await serve(context.config(), roles, context.version);
    return EXIT.ok;
  },
};

function rolesOf(text: string) {
  try {
    return parseRoles(text);
  } catch (error) {
    if (error instanceof UnknownRole) throw new UsageError(error.message, 'caudal list-roles explains them.');
    throw error;
  }
}

/** The supervisor's end of the IPC channel closes when it dies, also where there is no parent-death signal. */
function dieWithSupervisor(): void {
  if (!process.channel) return;
  process.channel.unref();
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}
