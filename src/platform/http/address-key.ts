import ipaddr from 'ipaddr.js';

/** An IPv6 subscriber has a whole /64, so that is what counts as one address; IPv4 as it is. */
export function addressKey(address: string): string {
  if (!ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return `${parsed.toNormalizedString().split(':').slice(0, 4).join(':')}::/64`;
}
