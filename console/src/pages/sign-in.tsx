import { Alert, Anchor, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../api.ts';
import { Door } from '../parts/frame/door.tsx';
import { faultsOf, Problem } from '../parts/frame/problem.tsx';
import { enter } from '../queries.ts';

const FIELDS = ['username', 'email', 'password', 'password_2'] as const;
type Field = (typeof FIELDS)[number];
type Mode = 'in' | 'up' | 'forgotten';
const ASKS: Record<Mode, readonly Field[]> = { in: ['email', 'password'], up: FIELDS, forgotten: ['email'] };

/** Sign in, make an account, or ask for a new password; the API's own words beside the field they are about. */
export function SignIn({ ended }: { ended: boolean }) {
  const { t } = useTranslation();
  const [mode, setMode] = useState<Mode>('in');
  const [fields, setFields] = useState<Record<Field, string>>({
    username: '',
    email: '',
    password: '',
    password_2: '',
  });
  const send = useMutation({ mutationFn: () => submit(mode, fields) });
  const change = (next: Mode) => () => {
    send.reset();
    setMode(next);
  };
  const beside = ASKS[mode].some((asked) => faultsOf(send.error, asked) !== undefined);
  const field = (name: Field) => ({
    name,
    label: t(`signIn.${name}`),
    required: true,
    withAsterisk: false,
    value: fields[name],
    onChange: (event: { currentTarget: { value: string } }) => {
      const { value } = event.currentTarget;
      setFields((before) => ({ ...before, [name]: value }));
    },
    error: faultsOf(send.error, name),
  });
  return (
    <Door title={t(`signIn.titles.${mode}`)}>
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          send.mutate();
        }}
      >
        <Stack>
          {ended && mode === 'in' && (
            <Alert variant="outline" role="status">
              {t('signIn.ended')}
            </Alert>
          )}
          {send.isError && !beside && <Problem error={send.error} />}
          {mode === 'up' && <TextInput {...field('username')} autoComplete="username" />}
          <TextInput {...field('email')} type="email" autoComplete="email" />
          {mode !== 'forgotten' && (
            <PasswordInput
              {...field('password')}
              autoComplete={mode === 'in' ? 'current-password' : 'new-password'}
              description={mode === 'up' ? t('signIn.rule') : undefined}
              visibilityToggleButtonProps={{ 'aria-label': t('signIn.look') }}
            />
          )}
          {mode === 'up' && (
            <PasswordInput
              {...field('password_2')}
              autoComplete="new-password"
              visibilityToggleButtonProps={{ 'aria-label': t('signIn.look') }}
            />
          )}
          {mode === 'forgotten' && send.isSuccess && (
            <Text size="sm" role="status">
              {t('signIn.sent')}
            </Text>
          )}
          <Button type="submit" loading={send.isPending}>
            {t(`signIn.submit.${mode}`)}
          </Button>
          {mode === 'in' && (
            <Anchor component="button" type="button" size="sm" onClick={change('forgotten')}>
              {t('signIn.toForgotten')}
            </Anchor>
          )}
          <Anchor component="button" type="button" size="sm" onClick={change(mode === 'in' ? 'up' : 'in')}>
            {t(mode === 'in' ? 'signIn.toSignUp' : 'signIn.toSignIn')}
          </Anchor>
        </Stack>
      </form>
    </Door>
  );
}

async function submit(mode: Mode, { username, email, password, password_2 }: Record<Field, string>): Promise<void> {
  if (mode === 'forgotten') return call('POST', '/auth/password/reset', { email });
  if (mode === 'up') await call('POST', '/auth/signup', { username, email, password, password_2 });
  await call('POST', '/auth/login', { email, password });
  await enter();
}
