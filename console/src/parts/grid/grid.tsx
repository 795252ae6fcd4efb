// biome-ignore-all lint/a11y/useSemanticElements: a table element cannot hold lines and cells that are placed by hand
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and names the active line
import { Text } from '@mantine/core';
import { useVirtualizer, type VirtualItem } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from 'react';
import { formatTimestamp, formatValue } from '../format.ts';
import { columnWidths, type GridColumn, isNumeric } from './columns.ts';
import { lineAfter } from './keys.ts';

export interface GridProps {
  label: string;
  columns: readonly GridColumn[];
  /** Lines that can be scrolled to; those that are not there yet are drawn empty. */
  count: number;
  rowAt(index: number): Record<string, unknown> | undefined;
  /** Called with the last line in view. */
  onSeen?(index: number): void;
  onOpen?(index: number): void;
  /** A column's name, `-` before it for descending. */
  order?: string | undefined;
  onOrder?(order: string | undefined): void;
}

const ROW = 34;
const NUMBER_WIDTH = 64;

/**
 * Lines and columns are in the document only while they are in view, whatever the size. Arrow keys move
 * the chosen line, Enter opens it; headers sort.
 */
export function Grid({ label, columns, count, rowAt, onSeen, onOpen, order, onOrder }: GridProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  const [active, setActive] = useState(-1);
  const firstRows = rowAt(0) === undefined ? 0 : Math.min(count, 60);
  // biome-ignore lint/correctness/useExhaustiveDependencies: widths are taken from the first lines, once they are there, and stay
  const widths = useMemo(
    () =>
      columnWidths(
        columns,
        Array.from({ length: firstRows }, (_, index) => rowAt(index) ?? {}),
      ),
    [columns, firstRows > 0],
  );
  const rows = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
    scrollMargin: ROW,
    scrollPaddingStart: ROW,
  });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => widths[index] ?? 120,
    overscan: 3,
    scrollMargin: NUMBER_WIDTH,
    scrollPaddingStart: NUMBER_WIDTH,
  });
  const lines = rows.getVirtualItems();
  const cells = across.getVirtualItems();
  const width = across.getTotalSize() + NUMBER_WIDTH;
  const lastSeen = lines.at(-1)?.index ?? 0;
  useEffect(() => onSeen?.(lastSeen), [onSeen, lastSeen]);
  const go = (index: number): void => {
    setActive(index);
    rows.scrollToIndex(index);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget) return;
    const next = lineAfter(event.key, active, count);
    if (next === undefined && event.key !== 'Enter') return;
    event.preventDefault();
    if (next !== undefined) go(next);
    else if (active >= 0) onOpen?.(active);
  };
  const drawn = lines.some(({ index }) => index === active);
  const open = (index: number): void => {
    setActive(index);
    if (rowAt(index)) onOpen?.(index);
  };
  return (
    <div
      className="grid"
      role="grid"
      ref={scroller}
      tabIndex={0}
      aria-label={label}
      aria-rowcount={count + 1}
      aria-colcount={columns.length + 1}
      aria-activedescendant={drawn ? `${id}-${active}` : undefined}
      onKeyDown={onKeyDown}
    >
      <div style={{ width, minWidth: '100%', height: rows.getTotalSize() + ROW, position: 'relative' }}>
        <Head columns={columns} cells={cells} order={order} onOrder={onOrder} />
        {lines.map((line) => (
          <Line
            key={line.key}
            id={`${id}-${line.index}`}
            index={line.index}
            top={line.start - ROW}
            row={rowAt(line.index)}
            columns={columns}
            cells={cells}
            active={line.index === active}
            onOpen={open}
          />
        ))}
      </div>
    </div>
  );
}

interface LineProps {
  id: string;
  index: number;
  top: number;
  row: Record<string, unknown> | undefined;
  columns: readonly GridColumn[];
  cells: readonly VirtualItem[];
  active: boolean;
  onOpen(index: number): void;
}

function Line({ id, index, top, row, columns, cells, active, onOpen }: LineProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys, Enter opens
    <div
      id={id}
      className="grid-row"
      role="row"
      aria-rowindex={index + 2}
      aria-selected={active}
      data-row={index}
      style={{ height: ROW, transform: `translateY(${top}px)` }}
      onClick={() => onOpen(index)}
    >
      <div className="grid-cell grid-number" role="rowheader" aria-colindex={1}>
        {index + 1}
      </div>
      {cells.map(({ key, index: at, start, size }) => {
        const column = columns[at];
        if (!column) return null;
        const style = { left: start, width: size };
        const there = row !== undefined;
        return <Cell key={key} value={row?.[column.name]} there={there} type={column.type} index={at} style={style} />;
      })}
    </div>
  );
}

interface HeadProps extends Pick<GridProps, 'columns' | 'order' | 'onOrder'> {
  cells: readonly VirtualItem[];
}

function Head({ columns, cells, order, onOrder }: HeadProps) {
  return (
    <div className="grid-head" role="row" aria-rowindex={1} style={{ height: ROW }}>
      <div className="grid-cell grid-number" role="columnheader" aria-colindex={1}>
        #
      </div>
      {cells.map(({ key, index, start, size }) => {
        const column = columns[index];
        if (!column) return null;
        const style = { left: start, width: size };
        return <Heading key={key} column={column} index={index} style={style} order={order} onOrder={onOrder} />;
      })}
    </div>
  );
}

interface Placed {
  index: number;
  style: { left: number; width: number };
}

interface HeadingProps extends Placed {
  column: GridColumn;
  order: string | undefined;
  onOrder: GridProps['onOrder'];
}

const NEXT = { none: 'ascending', ascending: 'descending', descending: 'none' } as const;
const ARROWS = { none: '', ascending: ' ↑', descending: ' ↓' } as const;

function Heading({ column, index, style, order, onOrder }: HeadingProps) {
  const { name, type } = column;
  const sorted = order === name ? 'ascending' : order === `-${name}` ? 'descending' : 'none';
  const words = (
    <>
      {name}
      <span aria-hidden="true">{ARROWS[sorted]}</span>
      <Text span size="xs" c="dimmed" ml={6} fw={400}>
        {type}
      </Text>
    </>
  );
  return (
    <div
      className={isNumeric(type) ? 'grid-cell number' : 'grid-cell'}
      role="columnheader"
      aria-colindex={index + 2}
      aria-sort={sorted}
      title={`${name} · ${type}`}
      style={style}
    >
      {onOrder ? (
        <button
          type="button"
          className="grid-sort"
          onClick={() => onOrder({ none: undefined, ascending: name, descending: `-${name}` }[NEXT[sorted]])}
        >
          {words}
        </button>
      ) : (
        words
      )}
    </div>
  );
}

const SHOWN = 400;

function Cell({ value, there, type, index, style }: Placed & { value: unknown; there: boolean; type: string }) {
  const text = formatValue(value).slice(0, SHOWN);
  const empty = there && (value === null || value === undefined);
  return (
    <div
      className={isNumeric(type) ? 'grid-cell number' : 'grid-cell'}
      role="gridcell"
      aria-colindex={index + 2}
      style={style}
    >
      {empty ? <span className="null">null</span> : type === 'timestamp' ? formatTimestamp(text) : text}
    </div>
  );
}
