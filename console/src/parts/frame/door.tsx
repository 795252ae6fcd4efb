import { Box, Group, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { LanguageSwitch, SchemeToggle } from './choices.tsx';
import { Mark } from './mark.tsx';
import { useTitle } from './page.tsx';

/** What stands before the console: signing in, a new password, an invitation. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTranslation();
  useTitle(title);
  return (
    <Box component="main" className="door">
      <Group justify="flex-end" gap={6}>
        <LanguageSwitch />
        <SchemeToggle />
      </Group>
      <Box className="surface door-card">
        <Group gap="sm" mb="lg" wrap="nowrap">
          <Mark size={40} />
          <div>
            <Text fw={700} size="lg" lh={1.2}>
              Caudal
            </Text>
            <Text size="sm" c="dimmed">
              {t('frame.tagline')}
            </Text>
          </div>
        </Group>
        <Title order={1} size="h4" mb="md">
          {title}
        </Title>
        {children}
      </Box>
    </Box>
  );
}
