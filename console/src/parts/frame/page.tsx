import { Box, Group, Title } from '@mantine/core';
import { type ReactNode, useEffect, useRef } from 'react';

interface PageProps {
  title: string;
  /** Beside the title: what it is about, and what can be done with it. */
  facts?: ReactNode;
  actions?: ReactNode;
  /** Tables of many columns use the whole window. */
  wide?: boolean;
  children: ReactNode;
}

let pages = 0;

/** A page's frame: its name in the tab and as the heading, which takes the focus when one comes from another page. */
export function Page({ title, facts, actions, wide = false, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useTitle(title);
  useEffect(() => {
    pages += 1;
    if (pages > 1) heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <Box className="page" maw={wide ? undefined : 1200} mx="auto">
      <Group justify="space-between" align="flex-start" gap="sm" mb="md">
        <Box miw={0}>
          <Title order={1} size="h3" ref={heading} tabIndex={-1} className="page-title">
            {title}
          </Title>
          {facts}
        </Box>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Box>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Caudal`;
  }, [title]);
}
