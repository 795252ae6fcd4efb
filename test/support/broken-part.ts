import assert from 'node:assert/strict';
import http from 'node:http';

/** Sends the head and half of the body, then breaks the connection; resolves when the server has seen it. */
export function sendHalf(target: URL, data: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const request = http.request(target, { method: 'PUT', headers: { 'content-length': data.length } });
    request.on('error', () => undefined);
    request.on('close', resolve);
    request.write(data.subarray(0, data.length / 2), () => request.destroy());
  });
}

/** The broken connection's lease may still be held for a moment: 409 says so, anything else is an answer. */
export async function untilTaken(send: () => Promise<Response>): Promise<string> {
  for (;;) {
    const response = await send();
    const text = await response.text();
    if (response.status === 409) continue;
    assert.equal(response.status, 200, text);
    return response.headers.get('etag') ?? '';
  }
}
