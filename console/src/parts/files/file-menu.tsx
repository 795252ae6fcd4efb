import { ActionIcon, Button, Group, Menu, Modal, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { File as CaudalFile } from '../../../../src/contract/files.ts';
import { call } from '../../api.ts';
import { Icon } from '../frame/icons.tsx';
import { PageMenuItem } from '../frame/link.tsx';
import { Problem, wordsOf } from '../frame/problem.tsx';

/** What can be done with a file, by the state it is in. */
export function FileMenu({ file }: { file: CaudalFile }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [deleting, setDeleting] = useState(false);
  const onTask = useMutation({
    mutationFn: ([method, path]: [method: string, path: string]) => call(method, path),
    onSettled: () => client.invalidateQueries({ queryKey: ['files'] }),
    onError: (error) => notifications.show({ color: 'red', message: wordsOf(error) }),
  });
  const { id, state, task_id, trace_id } = file;
  const busy = state === 'loading';
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t('files.actions', { name: file.filename })}>
            <Icon name="more" size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {trace_id && (
            <PageMenuItem to="/trace/$id" params={{ id: trace_id }} leftSection={<Icon name="trace" />}>
              {t('trace.show')}
            </PageMenuItem>
          )}
          {state !== 'pending' && (
            <Menu.Item component="a" href={`/files/${id}/content`} leftSection={<Icon name="download" />}>
              {t('files.download')}
            </Menu.Item>
          )}
          {(state === 'failed' || state === 'stored') && task_id && (
            <Menu.Item
              leftSection={<Icon name="again" />}
              onClick={() => onTask.mutate(['POST', `/tasks/${task_id}/retry`])}
            >
              {t('files.loadAgain')}
            </Menu.Item>
          )}
          {busy && task_id && (
            <Menu.Item
              leftSection={<Icon name="close" />}
              onClick={() => onTask.mutate(['DELETE', `/tasks/${task_id}`])}
            >
              {t('files.cancelLoad')}
            </Menu.Item>
          )}
          <Menu.Item c="red" leftSection={<Icon name="trash" />} disabled={busy} onClick={() => setDeleting(true)}>
            {t('files.delete')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <DeleteDialog file={file} opened={deleting} onClose={() => setDeleting(false)} />
    </>
  );
}

function DeleteDialog({ file, opened, onClose }: { file: CaudalFile; opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => call('DELETE', `/files/${file.id}`),
    onSuccess: async () => {
      onClose();
      notifications.show({ message: t('files.deleted', { name: file.filename }) });
      await client.invalidateQueries();
    },
  });
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t('files.deleteTitle', { name: file.filename })}
      closeButtonProps={{ 'aria-label': t('frame.close') }}
    >
      <Text size="sm">{t('files.deleteText')}</Text>
      {remove.isError && <Problem error={remove.error} />}
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={onClose} data-autofocus>
          {t('frame.cancel')}
        </Button>
        <Button color="red.8" loading={remove.isPending} onClick={() => remove.mutate()}>
          {t('files.delete')}
        </Button>
      </Group>
    </Modal>
  );
}
