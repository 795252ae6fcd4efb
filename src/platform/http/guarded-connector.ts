import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { buildConnector } from 'undici';
import { fail } from '#kernel/errors.ts';
import { type AddressPolicy, literalAddress } from './address-policy.ts';

/** All addresses of a host name, as `dns.promises.lookup(name, {all: true})` gives them. */
export type Resolve = (hostname: string) => Promise<{ address: string; family: number }[]>;

export const systemResolve: Resolve = (hostname) => dns.promises.lookup(hostname, { all: true });

/**
 * Connects only to where the policy lets it: the host when it is written as an address (for which no
 * lookup is ever made), every address that its name stands for, and at last the address that the
 * socket really reached. The name is resolved once and those very addresses are dialled, so a second
 * answer of the name server's cannot slip in between.
 */
export async function guardedConnector(
  policy: AddressPolicy,
  resolve: Resolve,
  timeoutMs: number,
): Promise<buildConnector.connector> {
  const undici = await import('undici');
  return (options, callback) => {
    const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80));
    const literal = literalAddress(options.hostname);
    if (literal !== undefined && !policy(literal, port)) {
      callback(refused(options.hostname), null);
      return;
    }
    const connect = undici.buildConnector({
      timeout: timeoutMs,
      lookup: guardedLookup(policy, resolve, port),
      allowH2: false,
    });
    connect(options, (...[error, socket]) => {
      if (error) {
        callback(error, null);
        return;
      }
      if (!socket.remoteAddress || !policy(socket.remoteAddress, port)) {
        socket.destroy();
        callback(refused(options.hostname), null);
        return;
      }
      callback(null, socket);
    });
  };
}

/** One forbidden address among several refuses the name: which of them is dialled is not ours to choose. */
function guardedLookup(policy: AddressPolicy, resolve: Resolve, port: number): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (!first) callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 0);
        else if (!addresses.every(({ address }) => policy(address, port))) callback(refused(hostname), '', 0);
        else if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}

/** Says no more than the caller knew: an answer that names addresses would map the network behind. */
export function refused(hostname: string): Error {
  return fail('url_refused', `The URL leads to "${hostname.slice(0, 100)}", which is not on the public internet.`, {
    hint: 'Only public hosts on ports 80 and 443 are fetched. An operator can allow private networks (CAUDAL_FETCH_ALLOW_PRIVATE).',
  });
}
