import { Button, Group, Menu, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useTranslation } from 'react-i18next';
import { call } from '../../api.ts';
import { enter, leave, queries } from '../../queries.ts';
import type { Me } from '../../session.ts';
import { LanguageSwitch, SchemeToggle } from './choices.tsx';
import { Icon } from './icons.tsx';
import { PageLink } from './link.tsx';
import { Mark } from './mark.tsx';
import { wordsOf } from './problem.tsx';

export function Header({ me }: { me: Me }) {
  const { t } = useTranslation();
  return (
    <Group h="100%" px={{ base: 'xs', sm: 'md' }} justify="space-between" wrap="nowrap" gap="xs">
      <Group gap="xs" wrap="nowrap" miw={0}>
        <PageLink to="/" underline="never" c="inherit" aria-label="Caudal">
          <Group gap="xs" wrap="nowrap">
            <Mark size={26} />
            <Text fw={700} visibleFrom="sm">
              Caudal
            </Text>
          </Group>
        </PageLink>
        <nav className="nav" aria-label={t('frame.main')}>
          <PageLink to="/" className="nav-link" activeOptions={{ exact: true }} underline="never">
            {t('files.title')}
          </PageLink>
          <PageLink to="/data" className="nav-link" underline="never">
            {t('data.title')}
          </PageLink>
          <PageLink to="/sql" className="nav-link" activeOptions={{ includeSearch: false }} underline="never">
            SQL
          </PageLink>
          <PageLink to="/videos" className="nav-link" underline="never">
            {t('video.title')}
          </PageLink>
        </nav>
      </Group>
      <Group gap={6} wrap="nowrap" flex="none">
        <LanguageSwitch />
        <SchemeToggle />
        <Account me={me} />
      </Group>
    </Group>
  );
}

function Account({ me }: { me: Me }) {
  const { t } = useTranslation();
  const others = me.workspaces.filter(({ id }) => id !== me.workspace_id);
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <Button
          variant="default"
          size="xs"
          px={8}
          maw={160}
          aria-label={t('frame.account', { name: me.username })}
          title={me.username}
        >
          <Icon name="person" />
          <Text span size="xs" fw={600} ml={6} truncate visibleFrom="sm">
            {me.username}
          </Text>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label className="wrap">{me.email}</Menu.Label>
        {others.length > 0 && <Menu.Label>{t('frame.workspaces')}</Menu.Label>}
        {others.map(({ id, name }) => (
          <Menu.Item key={id} className="wrap" onClick={() => void workIn(id)}>
            {name}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item component="a" href="/docs">
          {t('frame.api')}
        </Menu.Item>
        <Menu.Item onClick={() => void signOut()}>{t('frame.signOut')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

export async function workIn(workspace_id: string): Promise<void> {
  try {
    await call('POST', '/auth/switch', { workspace_id });
    await enter();
    await queries.invalidateQueries();
  } catch (error) {
    notifications.show({ color: 'red', message: wordsOf(error) });
  }
}

async function signOut(): Promise<void> {
  await call('POST', '/auth/logout').catch(() => undefined);
  leave();
}
