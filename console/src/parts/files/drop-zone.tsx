import { Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { Icon } from '../frame/icons.tsx';

interface DropZoneProps {
  disabled: boolean;
  label: string;
  /** What may be dropped, in words. */
  kinds: string;
  /** What the chooser offers first. */
  accept?: string;
  onFiles: (files: File[]) => void;
}

/** A button that opens the file chooser; files may be dropped on it, or anywhere on the page. */
export function DropZone({ disabled, label, kinds, accept, onFiles }: DropZoneProps) {
  const input = useRef<HTMLInputElement>(null);
  const over = useDrop(disabled, onFiles);
  return (
    <>
      <button
        type="button"
        className="drop"
        data-over={over}
        disabled={disabled}
        onClick={() => input.current?.click()}
      >
        <Icon name="upload" size={28} />
        <Text span fw={600} display="block" mt={6}>
          {label}
        </Text>
        <Text span size="sm" c="dimmed">
          {kinds}
        </Text>
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={label}
        accept={accept}
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = '';
        }}
      />
    </>
  );
}

/** A file that is dropped beside the target must not replace the page. @returns true while files are dragged over */
function useDrop(disabled: boolean, onFiles: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  const take = useRef(onFiles);
  take.current = onFiles;
  useEffect(() => {
    const drag = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(event.type === 'dragover' && !disabled);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      drag(event);
      const files = onlyFiles(event.dataTransfer);
      if (!disabled && files.length > 0) take.current(files);
    };
    const on: [string, (event: DragEvent) => void][] = [
      ['dragover', drag],
      ['dragleave', leave],
      ['drop', drop],
    ];
    for (const [name, listener] of on) window.addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of on) window.removeEventListener(name, listener as EventListener);
    };
  }, [disabled]);
  return over;
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}

/** A dropped folder shows up as a file of no bytes that cannot be read. */
function onlyFiles(data: DataTransfer | null): File[] {
  return [...(data?.items ?? [])].flatMap((item) => {
    if (item.kind !== 'file' || item.webkitGetAsEntry()?.isDirectory) return [];
    const file = item.getAsFile();
    return file ? [file] : [];
  });
}
