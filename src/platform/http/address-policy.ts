import ipaddr from 'ipaddr.js';

/** May a URL of a user's lead to this address and port? */
export type AddressPolicy = (address: string, port: number) => boolean;

const WEB_PORTS = [80, 443];
/** RFC 4291 §2.4, IANA's allocation: everything global lies here; `::/96` and the rest do not. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/**
 * Allows unicast addresses of the public internet on ports 80 and 443, and any port in the networks
 * that the operator names (CIDR). Everything else — loopback, private, link-local (cloud metadata),
 * carrier NAT, multicast, reserved — is refused, also when it is wrapped in IPv6 (mapped, NAT64,
 * 6to4, Teredo, IPv4-compatible).
 */
export function addressPolicy(allowPrivate: readonly string[]): AddressPolicy {
  const networks = allowPrivate.map((cidr) => ipaddr.parseCIDR(cidr));
  return (address, port) => {
    const parsed = parse(address);
    if (!parsed) return false;
    if (networks.some((network) => parsed.kind() === network[0].kind() && parsed.match(network))) return true;
    if (!WEB_PORTS.includes(port) || parsed.range() !== 'unicast') return false;
    return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6);
  };
}

/** A mapped IPv4 address is judged as the IPv4 address that the kernel will dial. */
function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const zoneless = address.split('%', 1)[0] ?? '';
  return ipaddr.isValid(zoneless) ? ipaddr.process(zoneless) : undefined;
}

/**
 * The address that a URL's host is written as, if it is one. WHATWG's URL parser has already turned
 * decimal, octal, hexadecimal and short IPv4 (`2130706433`, `0177.1`, `0x7f.1`) into four numbers.
 */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return ipaddr.isValid(bare) ? bare : undefined;
}
