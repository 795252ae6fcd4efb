import { Button, Center, Stack, Text, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { PageLink } from './link.tsx';
import { useTitle } from './page.tsx';
import { Problem } from './problem.tsx';

export function NotFound() {
  const { t } = useTranslation();
  useTitle(t('frame.notFound'));
  return (
    <Stack align="center" py="xl">
      <Title order={1} size="h3">
        {t('frame.notFound')}
      </Title>
      <PageLink to="/">{t('frame.home')}</PageLink>
    </Stack>
  );
}

/** A page that broke: what a reload puts right (a new version was installed meanwhile, mostly). */
export function Broken({ error }: { error: unknown }) {
  const { t } = useTranslation();
  return (
    <Stack align="center" py="xl" role="alert">
      <Title order={1} size="h3">
        {t('frame.broken')}
      </Title>
      <Text c="dimmed" size="sm">
        {error instanceof Error ? error.message : String(error)}
      </Text>
      <Button onClick={() => location.reload()}>{t('frame.reload')}</Button>
    </Stack>
  );
}

export function Unreachable({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { t } = useTranslation();
  return (
    <Center component="main" mih="100vh" p="md">
      <Stack align="center">
        <Problem error={error} />
        <Button onClick={onRetry}>{t('frame.again')}</Button>
      </Stack>
    </Center>
  );
}
