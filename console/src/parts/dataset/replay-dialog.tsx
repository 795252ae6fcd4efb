import { Alert, Button, Code, Group, Modal, NativeSelect, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { QuarantineItem } from '../../../../src/contract/datasets.ts';
import type { Task } from '../../../../src/contract/tasks.ts';
import { call, datasetPath, get } from '../../api.ts';
import { formatNumber } from '../format.ts';
import { PageLink } from '../frame/link.tsx';
import { Problem, Words } from '../frame/problem.tsx';
import type { ProfiledDataset } from './schema.tsx';

interface ReplayDialogProps {
  dataset: ProfiledDataset;
  /** Null: everything that waits. */
  ids: string[] | null;
  /** One of the records, to look at while one writes the fix. */
  example: QuarantineItem | undefined;
  opened: boolean;
  onClose(): void;
  onDone(): void;
}

const LIVE_MS = 500;
const ENDED: readonly Task['status'][] = ['succeeded', 'failed', 'cancelled'];

/** Tries quarantined records again, one column computed by an expression if need be, and says what became of them. */
export function ReplayDialog({ dataset, ids, example, opened, onClose, onDone }: ReplayDialogProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [column, setColumn] = useState('');
  const [expression, setExpression] = useState('');
  const start = useMutation({
    mutationFn: () => {
      const fix = column === '' || expression.trim() === '' ? {} : { fix: { [column]: expression } };
      const which = ids ? { ids } : { all: true };
      return call<Task>('POST', `${datasetPath(dataset.name)}/quarantine/replay`, { ...which, ...fix });
    },
  });
  const task = useTask(start.data);
  const ended = task !== undefined && ENDED.includes(task.status);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the task has ended
  useEffect(() => {
    if (!ended) return;
    onDone();
    void client.invalidateQueries();
  }, [ended]);
  const close = (): void => {
    start.reset();
    onClose();
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      size="lg"
      title={t('replay.title')}
      closeButtonProps={{ 'aria-label': t('frame.close') }}
    >
      <Stack>
        {example && (
          <div>
            <Text size="sm">
              {t('rows.line', { line: formatNumber(example.line) })}: <span lang="en">{example.reason}</span>
            </Text>
            <Code block className="raw">
              {example.raw.slice(0, 1000)}
            </Code>
          </div>
        )}
        <NativeSelect
          label={t('replay.column')}
          value={column}
          onChange={(event) => setColumn(event.currentTarget.value)}
          data={[{ value: '', label: t('replay.asIs') }, ...dataset.columns.map(({ name }) => name)]}
        />
        {column !== '' && (
          <Textarea
            label={t('replay.expression')}
            description={t('replay.hint')}
            placeholder={`replace("${column}", ',', '.')`}
            value={expression}
            onChange={(event) => setExpression(event.currentTarget.value)}
            autosize
            minRows={2}
            classNames={{ input: 'mono' }}
            spellCheck={false}
          />
        )}
        {start.isError && <Problem error={start.error} />}
        {task && <Outcome task={task} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t(ended ? 'frame.close' : 'frame.cancel')}
          </Button>
          {!(ended && task.status === 'succeeded') && (
            <Button loading={start.isPending || (task !== undefined && !ended)} onClick={() => start.mutate()}>
              {t('replay.start')}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function useTask(started: Task | undefined): Task | undefined {
  const task = useQuery({
    queryKey: ['task', started?.id],
    enabled: started !== undefined,
    queryFn: ({ signal }) => get<Task>(`/tasks/${started?.id}`, signal),
    refetchInterval: ({ state }) => (state.data && ENDED.includes(state.data.status) ? false : LIVE_MS),
  });
  return started && (task.data ?? started);
}

function Outcome({ task }: { task: Task }) {
  const { t } = useTranslation();
  const { status, output, error, trace_id } = task;
  const number = (key: string): string => formatNumber(Number(output?.[key] ?? 0));
  const problems = (output?.['problems'] ?? []) as { id: string; reason: string }[];
  return (
    <Alert variant="outline" color={status === 'failed' ? 'red' : 'river'} role="status">
      {status === 'succeeded' ? (
        <Text size="sm">{t('replay.done', { replayed: number('replayed'), remaining: number('remaining') })}</Text>
      ) : (
        <Text size="sm">{t(`replay.states.${status}`)}</Text>
      )}
      {error && <Words {...error} />}
      {[...new Set(problems.map(({ reason }) => reason))].slice(0, 5).map((reason) => (
        <Text key={reason} size="sm" lang="en" className="wrap">
          {reason}
        </Text>
      ))}
      {trace_id && ENDED.includes(status) && (
        <PageLink to="/trace/$id" params={{ id: trace_id }} size="sm">
          {t('trace.show')}
        </PageLink>
      )}
    </Alert>
  );
}
