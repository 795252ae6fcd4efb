import { useState } from 'react';

/** The secret of a mail's link: in the fragment, which browsers send to no server. */
export function useSecret(): string {
  const [secret] = useState(() => decodeURIComponent(location.hash.slice(1)));
  return secret;
}
