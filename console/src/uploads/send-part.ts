import { ApiError } from '../../../src/contract/retrying-fetch.ts';
import type { SendPart } from '../../../src/contract/upload-client.ts';

/** XMLHttpRequest says how far a part is; fetch cannot. */
export const sendPart: SendPart = (url, body, { signal, headers, onBytes }) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open('PUT', url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onBytes(event.loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(request.getResponseHeader('etag'));
      else reject(problemOf(request));
    };
    request.onerror = () => reject(new ApiError(0, 'network', 'The connection was lost.'));
    request.onabort = () => reject(signal.reason ?? new DOMException('aborted', 'AbortError'));
    request.onloadend = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort, { once: true });
    request.send(body);
  });

function problemOf(request: XMLHttpRequest): ApiError {
  const status = request.status;
  try {
    const problem = JSON.parse(request.responseText) as { code?: string; detail?: string };
    return new ApiError(status, problem.code ?? `http_${status}`, problem.detail ?? request.statusText);
  } catch {
    return new ApiError(status, `http_${status}`, request.statusText);
  }
}
