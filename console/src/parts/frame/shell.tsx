import { Anchor, AppShell } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Outlet, useLocation } from '@tanstack/react-router';
import { Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { SignIn } from '../../pages/sign-in.tsx';
import { enter } from '../../queries.ts';
import { useSession } from '../../session.ts';
import { Unreachable } from './dead-ends.tsx';
import { Header } from './header.tsx';
import { Waiting } from './waiting.tsx';

/** A forgotten password is no reason to sign in first. */
const WITHOUT_SESSION = ['/reset-password'];

/** The frame of every page; without a session it is the sign-in, at the same address. */
export function Shell() {
  const session = useSession();
  const { pathname } = useLocation();
  const { t } = useTranslation();
  if (WITHOUT_SESSION.includes(pathname)) return <Page />;
  if (session.status === 'unknown') return <WhoAmI />;
  if (session.status === 'out') return <SignIn ended={session.ended} />;
  return (
    <AppShell header={{ height: 56 }} padding="md">
      <Anchor href="#content" className="skip">
        {t('frame.skip')}
      </Anchor>
      <AppShell.Header>
        <Header me={session.me} />
      </AppShell.Header>
      <AppShell.Main id="content" tabIndex={-1}>
        <Page />
      </AppShell.Main>
    </AppShell>
  );
}

function Page() {
  return (
    <Suspense fallback={<Waiting />}>
      <Outlet />
    </Suspense>
  );
}

function WhoAmI() {
  const asked = useQuery({ queryKey: ['session'], queryFn: () => enter().then(() => true), gcTime: 0 });
  if (asked.isError) return <Unreachable error={asked.error} onRetry={() => void asked.refetch()} />;
  return <Waiting />;
}
