import { Box, Button, Group, Switch, Text } from '@mantine/core';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatDuration, formatNumber } from '../format.ts';
import { Icon } from '../frame/icons.tsx';
import { colourOf } from './services.ts';
import { SpanDetail } from './span-detail.tsx';
import { isQuietDatabaseCall, ticks, visibleRows, type Waterfall, type WaterfallRow } from './waterfall.ts';

const MOST_ROWS = 400;

interface SpansProps {
  waterfall: Waterfall;
  services: readonly string[];
  /** The span one came for. */
  chosen?: string | undefined;
}

/** Every span is a button that opens its attributes; a branch can be folded. */
export function Spans({ waterfall, services, chosen }: SpansProps) {
  const { t } = useTranslation();
  const { rows, length_ns } = waterfall;
  const [database, setDatabase] = useState(false);
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [most, setMost] = useState(MOST_ROWS);
  const quiet = useMemo(() => rows.filter((row) => row.below === 0 && isQuietDatabaseCall(row.span)).length, [rows]);
  const shown = useMemo(
    () => visibleRows(rows, collapsed, (span) => !database && span.span_id !== chosen && isQuietDatabaseCall(span)),
    [rows, collapsed, database, chosen],
  );
  const fold = (id: string): void => {
    const next = new Set(collapsed);
    if (!next.delete(id)) next.add(id);
    setCollapsed(next);
  };
  return (
    <Box className="surface" p="xs" mb="md">
      <Group justify="space-between" px={6} mb={6}>
        <Switch
          size="sm"
          checked={database}
          disabled={quiet === 0}
          onChange={(event) => setDatabase(event.currentTarget.checked)}
          label={t('trace.database', { count: quiet, formatted: formatNumber(quiet) })}
        />
      </Group>
      <Axis length_ns={length_ns} />
      <ul className="trace" aria-label={t('trace.waterfall')}>
        {shown.slice(0, most).map((row) => (
          <SpanRow
            key={row.span.span_id}
            row={row}
            colour={colourOf(services, row.span.service)}
            folded={collapsed.has(row.span.span_id)}
            onFold={fold}
            chosen={row.span.span_id === chosen}
          />
        ))}
      </ul>
      {shown.length > most && (
        <Button variant="subtle" onClick={() => setMost(most + MOST_ROWS)}>
          {t('trace.more', { count: shown.length - most, formatted: formatNumber(shown.length - most) })}
        </Button>
      )}
    </Box>
  );
}

function Axis({ length_ns }: { length_ns: number }) {
  return (
    <div className="trace-row trace-axis" aria-hidden="true">
      <span />
      <span className="trace-lane">
        {ticks(length_ns).map(({ at, ns }) => (
          <span key={ns} className="trace-tick" style={{ left: `${at * 100}%` }}>
            {at < 0.93 && formatDuration(ns)}
          </span>
        ))}
      </span>
      <span />
    </div>
  );
}

interface SpanRowProps {
  row: WaterfallRow;
  colour: string;
  folded: boolean;
  onFold(id: string): void;
  chosen: boolean;
}

const INDENT = 14;
/** Deeper levels are drawn at this one: what is left of the name must be readable. */
const DEEPEST = 12;

function SpanRow({ row, colour, folded, onFold, chosen }: SpanRowProps) {
  const { t } = useTranslation();
  const { span, depth, below, left, width } = row;
  const [open, setOpen] = useState(chosen);
  const line = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (chosen) line.current?.scrollIntoView({ block: 'center' });
  }, [chosen]);
  const failed = span.status === 'error';
  return (
    <li ref={line} data-span={span.name} data-service={span.service} data-failed={failed}>
      <div className="trace-row" data-open={open}>
        <div className="trace-name" style={{ paddingLeft: Math.min(depth, DEEPEST) * INDENT }}>
          {below > 0 ? (
            <button
              type="button"
              className="trace-fold"
              aria-expanded={!folded}
              aria-label={t('trace.fold', { name: span.name, count: below })}
              onClick={() => onFold(span.span_id)}
            >
              <Icon name="chevron" size={14} />
            </button>
          ) : (
            <span className="trace-leaf" />
          )}
          <button type="button" className="trace-open" aria-expanded={open} onClick={() => setOpen(!open)}>
            {failed && <span className="failed">✕ {t('trace.failed')} </span>}
            {row.orphan && <span title={t('trace.orphan')}>? </span>}
            {span.name}
            <Text span size="xs" c="dimmed" ml={6}>
              {span.service}
              {folded ? ` · +${formatNumber(below)}` : ''}
            </Text>
          </button>
        </div>
        <span className="trace-lane" aria-hidden="true">
          <span
            className="trace-bar"
            style={{
              left: `${Math.min(left * 100, 99.6)}%`,
              width: `${Math.max(width * 100, 0.3)}%`,
              background: failed ? 'var(--caudal-failed)' : colour,
            }}
          />
        </span>
        <span className="trace-time">{formatDuration(span.duration_ns)}</span>
      </div>
      {open && <SpanDetail span={span} />}
    </li>
  );
}
