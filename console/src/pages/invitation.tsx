import { Button, Group, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { call } from '../api.ts';
import { workIn } from '../parts/frame/header.tsx';
import { Page } from '../parts/frame/page.tsx';
import { Problem } from '../parts/frame/problem.tsx';
import { useSecret } from '../parts/frame/secret.ts';

/** Where an invitation's link leads: `/invitation#<secret>`. */
export function InvitationPage() {
  const { t } = useTranslation();
  const secret = useSecret();
  const navigate = useNavigate();
  const accept = useMutation({
    mutationFn: async () => {
      const { workspace_id } = await call<{ workspace_id: string }>('POST', '/invitations/accept', { secret });
      await workIn(workspace_id);
      await navigate({ to: '/' });
    },
  });
  return (
    <Page title={t('invitation.title')}>
      <Text mb="md">{t('invitation.text')}</Text>
      {accept.isError && <Problem error={accept.error} />}
      <Group>
        <Button loading={accept.isPending} onClick={() => accept.mutate()}>
          {t('invitation.accept')}
        </Button>
      </Group>
    </Page>
  );
}
