import { Badge, Progress, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Task } from '../../../../src/contract/tasks.ts';
import { formatBytes, formatNumber } from '../format.ts';
import { isOpen } from './follow-task.ts';

const COLOURS: Record<Task['status'], string> = {
  queued: 'gray',
  running: 'river',
  succeeded: 'teal',
  failed: 'red',
  cancelled: 'gray',
};

export function StatusBadge({ status }: { status: Task['status'] }) {
  const { t } = useTranslation();
  return (
    <Badge color={COLOURS[status]} variant="light" tt="none" className="state">
      {t(`video.states.${status}`)}
    </Badge>
  );
}

/** How far an open task is, and with what. */
export function TaskProgress({ task, name }: { task: Task; name: string }) {
  const { t } = useTranslation();
  if (!isOpen(task)) return null;
  const { progress, detail, status } = task;
  const step = status === 'queued' ? undefined : detail?.step;
  const facts = [
    `${formatNumber(Math.floor(progress))} %`,
    ...(step === undefined ? [] : [t(`video.steps.${step}`, { defaultValue: step })]),
    ...(step === 'download' && detail?.bytes !== undefined ? [formatBytes(detail.bytes)] : []),
    ...(step === 'transcode' && detail?.speed !== undefined
      ? [t('video.speed', { factor: formatNumber(Math.round(detail.speed * 10) / 10) })]
      : []),
  ];
  return (
    <>
      <Progress value={progress} mt={6} aria-label={t('video.progress', { name })} />
      <Text size="xs" c="dimmed" mt={4} className="tabular">
        {facts.join(' · ')}
      </Text>
    </>
  );
}
