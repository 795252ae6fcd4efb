import { formatExactTime, formatTime } from './format.ts';

export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={formatExactTime(at)} className="nowrap">
      {formatTime(at)}
    </time>
  );
}
