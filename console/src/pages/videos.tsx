import { Stack } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Page } from '../parts/frame/page.tsx';
import { Submit } from '../parts/video/submit.tsx';
import { VideoTable } from '../parts/video/video-table.tsx';

/** Videos go in by their address or from this machine, and become clips. */
export function VideosPage() {
  const { t } = useTranslation();
  return (
    <Page title={t('video.title')}>
      <Stack>
        <Submit />
        <VideoTable />
      </Stack>
    </Page>
  );
}
