import { Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isDatasetName } from '../../../src/contract/datasets.ts';
import { DropZone } from '../parts/files/drop-zone.tsx';
import { FileTable } from '../parts/files/file-table.tsx';
import { Page } from '../parts/frame/page.tsx';
import { addFiles } from '../uploads/store.ts';

/** The first page: drop files, watch them arrive and become tables. */
export function FilesPage() {
  const { t } = useTranslation();
  const [dataset, setDataset] = useState('');
  const name = dataset.trim();
  const wrong = name !== '' && !isDatasetName(name);
  return (
    <Page title={t('files.title')}>
      <Stack>
        <DropZone
          disabled={wrong}
          label={t('files.drop')}
          kinds={t('files.kinds')}
          onFiles={(files) => addFiles(files, name)}
        />
        <Group>
          <TextInput
            label={t('files.dataset')}
            description={t('files.datasetHint')}
            value={dataset}
            error={wrong ? t('files.datasetWrong') : undefined}
            onChange={(event) => setDataset(event.currentTarget.value)}
            maxLength={100}
            w={420}
            maw="100%"
          />
        </Group>
        <FileTable />
      </Stack>
    </Page>
  );
}
