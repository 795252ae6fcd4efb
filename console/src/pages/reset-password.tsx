import { Button, PasswordInput, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../api.ts';
import { Door } from '../parts/frame/door.tsx';
import { PageButton } from '../parts/frame/link.tsx';
import { faultsOf, Problem } from '../parts/frame/problem.tsx';
import { useSecret } from '../parts/frame/secret.ts';

const FIELDS = ['password', 'password_2'] as const;

/** Where the link of the reset mail leads. */
export function ResetPasswordPage() {
  const { t } = useTranslation();
  const secret = useSecret();
  const [fields, setFields] = useState({ password: '', password_2: '' });
  const set = useMutation({ mutationFn: () => call('POST', '/auth/password/reset/confirm', { secret, ...fields }) });
  const beside = FIELDS.some((name) => faultsOf(set.error, name) !== undefined);
  if (set.isSuccess) {
    return (
      <Door title={t('reset.title')}>
        <Text role="status" mb="md">
          {t('reset.done')}
        </Text>
        <PageButton to="/">{t('signIn.submit.in')}</PageButton>
      </Door>
    );
  }
  return (
    <Door title={t('reset.title')}>
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          set.mutate();
        }}
      >
        <Stack>
          {set.isError && !beside && <Problem error={set.error} />}
          {FIELDS.map((name) => (
            <PasswordInput
              key={name}
              name={name}
              label={t(name === 'password' ? 'reset.password' : 'signIn.password_2')}
              description={name === 'password' ? t('signIn.rule') : undefined}
              required
              withAsterisk={false}
              autoComplete="new-password"
              value={fields[name]}
              onChange={(event) => setFields({ ...fields, [name]: event.currentTarget.value })}
              error={faultsOf(set.error, name)}
              visibilityToggleButtonProps={{ 'aria-label': t('signIn.look') }}
            />
          ))}
          <Button type="submit" loading={set.isPending}>
            {t('reset.submit')}
          </Button>
        </Stack>
      </form>
    </Door>
  );
}
