import { Button, FileButton, Group, Progress, Table, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { UploadEntry, UploadState } from '../../uploads/entry.ts';
import { addFiles, cancelUpload, isSame, pauseUpload, resumeUpload, retryUpload } from '../../uploads/store.ts';
import { formatBytes } from '../format.ts';
import { Icon } from '../frame/icons.tsx';
import { wordsOf } from '../frame/problem.tsx';

const COLOURS: Record<UploadState, string> = {
  waiting: 'gray',
  uploading: 'river',
  paused: 'orange.8',
  lost: 'orange.8',
  failed: 'red.8',
};

/** On a narrow window, and among lines of other columns, one cell holds everything. */
export function UploadRow({ upload, columns }: { upload: UploadEntry; columns?: number }) {
  const { t } = useTranslation();
  const narrow = useMediaQuery('(max-width: 61.99em)');
  const { name, size, state } = upload;
  const line = { 'data-upload': name, 'data-state': state };
  if (narrow || columns !== undefined) {
    return (
      <Table.Tr {...line}>
        <Table.Td colSpan={columns ?? 3}>
          <Progressing upload={upload} />
          <Group justify="space-between" mt={6}>
            <Text size="sm">{t(`upload.states.${state}`)}</Text>
            <Actions upload={upload} />
          </Group>
        </Table.Td>
      </Table.Tr>
    );
  }
  return (
    <Table.Tr {...line}>
      <Table.Td>
        <Progressing upload={upload} />
      </Table.Td>
      <Table.Td>
        <Text size="sm">{t(`upload.states.${state}`)}</Text>
      </Table.Td>
      <Table.Td />
      <Table.Td className="number">{formatBytes(size)}</Table.Td>
      <Table.Td />
      <Table.Td>
        <Actions upload={upload} />
      </Table.Td>
    </Table.Tr>
  );
}

function Progressing({ upload }: { upload: UploadEntry }) {
  const { t } = useTranslation();
  const { name, size, sent, state, error } = upload;
  const percent = size === 0 ? 0 : Math.min(100, (sent / size) * 100);
  return (
    <>
      <Text size="sm" fw={500} className="wrap">
        {name}
      </Text>
      <Progress
        value={percent}
        color={COLOURS[state]}
        mt={6}
        aria-label={t('upload.progress', { name })}
        transitionDuration={150}
      />
      <Text size="xs" c="dimmed" mt={4} className="tabular">
        {t('upload.sent', { sent: formatBytes(sent), size: formatBytes(size), percent: Math.floor(percent) })}
      </Text>
      {state === 'lost' && (
        <Text size="sm" mt={4}>
          {t('upload.chooseAgain')}
        </Text>
      )}
      {state === 'failed' && (
        <Text size="sm" c="red" mt={4} role="alert" className="wrap">
          {wordsOf(error)}
        </Text>
      )}
    </>
  );
}

function Actions({ upload }: { upload: UploadEntry }) {
  const { t } = useTranslation();
  const { key, name, state } = upload;
  const action = (what: string) => ({
    'aria-label': t('upload.of', { what, name }),
    variant: 'default',
    size: 'compact-xs',
  });
  return (
    <Group gap={6} justify="flex-end">
      {state === 'uploading' && (
        <Button
          {...action(t('upload.pause'))}
          leftSection={<Icon name="pause" size={12} />}
          onClick={() => pauseUpload(key)}
        >
          {t('upload.pause')}
        </Button>
      )}
      {state === 'paused' && (
        <Button
          {...action(t('upload.resume'))}
          leftSection={<Icon name="play" size={12} />}
          onClick={() => resumeUpload(key)}
        >
          {t('upload.resume')}
        </Button>
      )}
      {state === 'failed' && (
        <Button {...action(t('frame.again'))} onClick={() => retryUpload(key)}>
          {t('frame.again')}
        </Button>
      )}
      {state === 'lost' && <ChooseAgain upload={upload} />}
      <Button {...action(t('frame.cancel'))} onClick={() => void cancelUpload(key)}>
        {t('frame.cancel')}
      </Button>
    </Group>
  );
}

/** The page was loaded anew: a page may not open a file by itself. */
function ChooseAgain({ upload }: { upload: UploadEntry }) {
  const { t } = useTranslation();
  const [other, setOther] = useState(false);
  const take = (file: File | null): void => {
    if (!file) return;
    setOther(!isSame(upload, file));
    if (isSame(upload, file)) addFiles([file], upload.dataset, upload.video);
  };
  return (
    <>
      <FileButton
        onChange={take}
        inputProps={{ 'aria-label': t('upload.of', { what: t('upload.choose'), name: upload.name }) }}
      >
        {(props) => (
          <Button {...props} size="compact-xs">
            {t('upload.choose')}
          </Button>
        )}
      </FileButton>
      {other && (
        <Text size="xs" c="red" role="alert">
          {t('upload.other')}
        </Text>
      )}
    </>
  );
}
