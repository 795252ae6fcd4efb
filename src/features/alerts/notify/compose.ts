import type { InstanceDetail } from '#contract/incidents.ts';
import { formatDuration } from '#kernel/duration.ts';
import type { IncidentRow } from '../incident-row.ts';
import { type Letter, letterHtml, letterText, type Part } from './document.ts';
import type { Message } from './outbox.ts';
import { type Language, moment, say, WORDS } from './words.ts';

export interface Composed {
  subject: string;
  text: string;
  html: string;
}

export interface ComposeOptions {
  publicUrl: string;
  language: Language;
}

const MOST_ROWS = 20;

/** The mail of a notification. Pure: all that it says is in the message. */
export function compose(message: Message, { publicUrl, language }: ComposeOptions): Composed {
  const letter = letterOf(message, publicUrl, language);
  const subject = `[Caudal] ${letter.kicker}: ${letter.title}`.replaceAll(/[\r\n]+/g, ' ').slice(0, 200);
  return { subject, text: letterText(letter), html: letterHtml(letter, language) };
}

function letterOf({ reason, incident, policy, channel }: Message, url: string, language: Language): Letter {
  if (!incident) {
    const lead = say(language, 'test_lead', { channel: channel?.name ?? '' });
    const footer = say(language, 'footer_resolved', { url });
    return {
      tone: 'plain',
      kicker: say(language, 'test'),
      title: say(language, 'test_title'),
      lead,
      parts: [],
      footer,
    };
  }
  const over = reason === 'resolved';
  const { instance } = incident.detail;
  const told = instance ? instanceLetter(instance, over, language) : policyLetter(incident, reason, language);
  const todo: Part[] =
    policy?.runbook && !over ? [{ kind: 'text', heading: say(language, 'do'), text: policy.runbook }] : [];
  return {
    tone: over ? 'good' : incident.severity === 'page' ? 'bad' : 'warning',
    ...told,
    lead: policy?.summary && !over && !instance ? `${told.lead} ${policy.summary}` : told.lead,
    parts: [...told.parts, ...todo],
    link: { label: say(language, 'open'), url: new URL(`/incidents/${incident.id}`, url).href },
    footer: say(language, over ? 'footer_resolved' : 'footer', { url }),
  };
}

type Told = Pick<Letter, 'kicker' | 'title' | 'lead' | 'parts'>;

function policyLetter(incident: IncidentRow, reason: Message['reason'], language: Language): Told {
  const over = reason === 'resolved';
  const kicker = say(language, reason === 'mail' ? 'opened' : reason);
  const lead = say(language, over ? 'lead_resolved' : 'lead', { policy: incident.policy });
  const escalated =
    reason === 'escalated'
      ? ` ${say(language, 'lead_escalated', { since: moment(language, incident.opened_at) })}`
      : '';
  const facts: [string, string][] = [
    [say(language, 'policy'), incident.policy],
    [say(language, 'severity'), WORDS[language].severities[incident.severity]],
    [say(language, 'opened_at'), moment(language, incident.opened_at)],
    ...Object.entries(incident.labels),
  ];
  if (over && incident.resolved_at) {
    facts.push([say(language, 'resolved_at'), moment(language, incident.resolved_at)]);
    facts.push([
      say(language, 'lasted'),
      formatDuration(incident.resolved_at.getTime() - incident.opened_at.getTime()),
    ]);
  }
  const series = incident.detail.series ?? [];
  const parts: Part[] = [{ kind: 'facts', facts }];
  if (!over && series.length > 0) {
    parts.push({
      kind: 'table',
      heading: say(language, 'series'),
      columns: [say(language, 'labels'), say(language, 'value')],
      rows: series.slice(0, MOST_ROWS).map(({ labels, value }) => [labelText(labels), valueText(value)]),
      ...more(language, 'more_series', series.length),
    });
  }
  return { kicker, title: incident.title, lead: lead + escalated, parts };
}

const labelText = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ') || '—';

const valueText = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(5))) : String(value);

function more(language: Language, key: 'more_tasks' | 'more_series', count: number): { note?: string } {
  return count > MOST_ROWS ? { note: say(language, key, { count: String(count - MOST_ROWS) }) } : {};
}

function instanceLetter(instance: InstanceDetail, over: boolean, language: Language): Told {
  const since = moment(language, instance.since);
  const away = instance.replaced_at
    ? formatDuration(Date.parse(instance.replaced_at) - Date.parse(instance.since))
    : '';
  const values = { name: instance.name, host: instance.host, roles: instance.roles.join(', '), since, away };
  const cause = say(language, causeKey(instance.cause));
  const again = instance.replaced_at && !over ? ` ${say(language, 'replaced')}` : '';
  const facts: [string, string][] = [
    [say(language, 'instance'), `${instance.name} · ${instance.instance_id}`],
    [say(language, 'roles'), values.roles],
    [say(language, 'host'), `${instance.host}, pid ${instance.pid}`],
    [say(language, 'since'), since],
    ...(away ? [[say(language, 'away'), away] as [string, string]] : []),
  ];
  return {
    kicker: say(language, over ? 'instance_back' : 'instance_down'),
    title: say(language, over ? 'back_title' : 'down_title', values),
    lead: over ? say(language, 'back_lead', values) : say(language, 'down_lead', { ...values, cause: cause + again }),
    parts: [{ kind: 'facts', facts }, tasksPart(instance, language), ...(over ? [] : logsPart(instance, language))],
  };
}

function causeKey(cause: string): 'killed' | 'exited' | 'vanished' | 'silent' {
  return cause === 'killed' || cause === 'exited' || cause === 'vanished' ? cause : 'silent';
}

function tasksPart({ tasks, tasks_lost }: InstanceDetail, language: Language): Part {
  const heading = say(language, 'tasks');
  if (tasks_lost === 0) return { kind: 'text', heading, text: say(language, 'no_tasks') };
  const statuses: Record<string, string> = WORDS[language].statuses;
  return {
    kind: 'table',
    heading,
    columns: (['kind', 'task', 'now', 'with'] as const).map((key) => say(language, key)),
    rows: tasks
      .slice(0, MOST_ROWS)
      .map(({ kind, task_id, status, instance }) => [
        kind,
        task_id,
        status === null ? say(language, 'gone') : (statuses[status] ?? status),
        status === 'queued' ? say(language, 'nobody') : (instance ?? say(language, 'nobody')),
      ]),
    ...more(language, 'more_tasks', tasks_lost),
  };
}

function logsPart({ logs }: InstanceDetail, language: Language): Part[] {
  return logs.length === 0 ? [] : [{ kind: 'lines', heading: say(language, 'logs'), lines: logs }];
}
