import { Alert, Button, Group, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Task } from '../../../src/contract/tasks.ts';
import type { VideoInput, VideoOutput } from '../../../src/contract/video.ts';
import { call } from '../api.ts';
import { Icon } from '../parts/frame/icons.tsx';
import { PageButton } from '../parts/frame/link.tsx';
import { Page } from '../parts/frame/page.tsx';
import { Problem, Words } from '../parts/frame/problem.tsx';
import { Waiting } from '../parts/frame/waiting.tsx';
import { Time } from '../parts/time.tsx';
import { isOpen, useTask } from '../parts/video/follow-task.ts';
import { LineageTable, SourceFacts } from '../parts/video/lineage.tsx';
import { nameOf } from '../parts/video/name.ts';
import { Player } from '../parts/video/player.tsx';
import { StatusBadge, TaskProgress } from '../parts/video/status.tsx';

const route = getRouteApi('/videos/$id');

/** One video task: what it does now, and what came of it. */
export function VideoPage() {
  const { t } = useTranslation();
  const { id } = route.useParams();
  const task = useTask(id);
  const { data } = task;
  const name = data ? nameOf(data) : '';
  return (
    <Page
      title={data ? name : t('video.title')}
      facts={
        data && (
          <Group gap="sm" mt={4}>
            <StatusBadge status={data.status} />
            <Text size="sm" c="dimmed">
              <Time at={data.created_at} />
            </Text>
          </Group>
        )
      }
      actions={data && <Actions task={data} />}
    >
      {task.isPending && <Waiting />}
      {task.isError && !data && <Problem error={task.error} />}
      {data && <Body key={id} task={data} name={name} />}
    </Page>
  );
}

function Body({ task, name }: { task: Task; name: string }) {
  const { t } = useTranslation();
  const { error, status, trace_id } = task;
  const output = task.output as unknown as VideoOutput | null;
  const { options } = task.input as VideoInput;
  return (
    <>
      <TaskProgress task={task} name={name} />
      {error && (
        <Alert color="red" role="alert" variant="outline" my="sm">
          <Words {...error} />
        </Alert>
      )}
      {status === 'cancelled' && <Text c="dimmed">{t('video.cancelled')}</Text>}
      {output && (
        <>
          <Player output={output} options={options} name={name} />
          <SourceFacts source={output.source} />
          {output.warnings.map((warning) => (
            <Text key={warning} size="sm" c="orange.9" lang="en" className="wrap">
              {warning}
            </Text>
          ))}
          <LineageTable output={output} trace={trace_id} />
        </>
      )}
    </>
  );
}

function Actions({ task }: { task: Task }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const navigate = useNavigate();
  const { id, status, trace_id } = task;
  const original = (task.output as unknown as VideoOutput | null)?.original;
  const cancel = useMutation({
    mutationFn: () => call<Task>('DELETE', `/tasks/${id}`),
    onSettled: () => client.invalidateQueries({ queryKey: ['task', id] }),
  });
  const retry = useMutation({
    mutationFn: () => call<Task>('POST', `/tasks/${id}/retry`),
    onSuccess: (next) => navigate({ to: '/videos/$id', params: { id: next.id } }),
  });
  const failed = cancel.error ?? retry.error;
  return (
    <>
      {isOpen(task) && (
        <Button
          variant="default"
          leftSection={<Icon name="close" />}
          loading={cancel.isPending}
          onClick={() => cancel.mutate()}
        >
          {t('frame.cancel')}
        </Button>
      )}
      {(status === 'failed' || status === 'cancelled') && (
        <Button leftSection={<Icon name="again" />} loading={retry.isPending} onClick={() => retry.mutate()}>
          {t('video.retry')}
        </Button>
      )}
      {original && (
        <Button component="a" href={original.url} variant="default" leftSection={<Icon name="download" />}>
          {t('video.original')}
        </Button>
      )}
      {trace_id && (
        <PageButton to="/trace/$id" params={{ id: trace_id }} variant="default" leftSection={<Icon name="trace" />}>
          {t('trace.show')}
        </PageButton>
      )}
      {failed && <Problem error={failed} />}
    </>
  );
}
