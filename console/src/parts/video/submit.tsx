import { Box, Button, Group, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Task } from '../../../../src/contract/tasks.ts';
import type { VideoOptions } from '../../../../src/contract/video.ts';
import { call } from '../../api.ts';
import { addFiles } from '../../uploads/store.ts';
import { DropZone } from '../files/drop-zone.tsx';
import { faultsOf, Problem } from '../frame/problem.tsx';
import { Options } from './options.tsx';

/** A video by its address, or from this machine; both with the same parameters. */
export function Submit() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [url, setUrl] = useState('');
  const [options, setOptions] = useState<VideoOptions>({});
  const submit = useMutation({
    mutationFn: () => call<Task>('POST', '/tasks', { url: url.trim(), options }),
    onSuccess: async () => {
      setUrl('');
      await client.invalidateQueries({ queryKey: ['videos'] });
    },
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    submit.mutate();
  };
  return (
    <Stack>
      <DropZone
        disabled={false}
        label={t('video.drop')}
        kinds={t('video.kinds')}
        accept="video/*"
        onFiles={(files) => addFiles(files, '', { options })}
      />
      <form onSubmit={send}>
        <Group align="flex-end" gap="sm" wrap="nowrap">
          <TextInput
            label={t('video.url')}
            placeholder="https://"
            type="url"
            value={url}
            error={faultsOf(submit.error, 'url')}
            onChange={(event) => setUrl(event.currentTarget.value)}
            required
            withAsterisk={false}
            flex={1}
          />
          <Button type="submit" loading={submit.isPending}>
            {t('video.submit')}
          </Button>
        </Group>
      </form>
      {submit.isError && faultsOf(submit.error, 'url') === undefined && <Problem error={submit.error} />}
      <Box component="details" className="surface parameters">
        <summary>{t('video.parameters')}</summary>
        <Options value={options} onChange={setOptions} />
      </Box>
    </Stack>
  );
}
