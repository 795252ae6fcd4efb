import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** Programs under `bench/` that run as processes of their own and answer questions one by one. */
export interface Child<Question, Answer> {
  pid: number;
  ask(question: Question): Promise<Answer>;
  stop(): Promise<void>;
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts a child; each question gets one answer, `{error}` rejects. */
export function startChild<Question, Answer>(
  script: URL,
  environment: Record<string, string> = {},
): Child<Question, Answer> {
  const child = fork(script, {
    env: { ...process.env, ...environment },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return {
    pid: child.pid ?? 0,
    ask(question) {
      return new Promise<Answer>((resolve, reject) => {
        const ended = (code: number | null) => reject(new Error(`${script.pathname} ended with ${code}`));
        child.once('exit', ended);
        child.once('message', (message: { answer: Answer } | { error: string }) => {
          child.off('exit', ended);
          if ('error' in message) reject(new Error(message.error));
          else resolve(message.answer);
        });
        child.send(question as object);
      });
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** The child's side of it. */
export function answer<Question, Answer>(work: (question: Question) => Promise<Answer>): void {
  process.on('message', (question: Question) => {
    work(question).then(
      (found) => process.send?.({ answer: found }),
      (error: Error) => process.send?.({ error: error.message }),
    );
  });
  process.on('disconnect', () => process.exit());
}
