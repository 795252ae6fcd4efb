import { Alert, Text } from '@mantine/core';
import i18next from 'i18next';
import { useTranslation } from 'react-i18next';
import { ApiError, Refusal } from '../../api.ts';
import { useSession } from '../../session.ts';
import { PageLink } from './link.tsx';

/** What the API says is English; elsewhere its stable code is put into words first. */
export function titleOf(code: string, group = 'codes'): string | undefined {
  const key = `${group}.${code}`;
  return i18next.language !== 'en' && i18next.exists(key, { lng: i18next.language, fallbackLng: [] })
    ? i18next.t(key)
    : undefined;
}

/** One line for a notification. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.code === 'network') return i18next.t('frame.unreachable');
  return titleOf(error.code) ?? error.message;
}

/** All that is wrong with one field of a form; undefined when nothing is. */
export function faultsOf(error: unknown, field: string): string | undefined {
  if (!(error instanceof Refusal)) return undefined;
  const faults = error.fields.filter((each) => each.field === field);
  return faults.map(({ code, message }) => titleOf(code, 'faults') ?? message).join(' ') || undefined;
}

export interface Complaint {
  code: string;
  message: string;
  hint?: string | undefined;
}

/** An error in words that a person can act on. */
export function Words({ code, message, hint }: Complaint) {
  const title = titleOf(code);
  return (
    <>
      {title && <Text size="sm">{title}.</Text>}
      <Text size="sm" lang="en" className="wrap">
        {message}
        {hint ? ` ${hint}` : ''}
      </Text>
    </>
  );
}

/** An error in the API's own words, with the way to its trace. */
export function Problem({ error }: { error: unknown }) {
  const { t } = useTranslation();
  const signedIn = useSession().status === 'in';
  const known = error instanceof ApiError && error.code !== 'network' ? error : undefined;
  return (
    <Alert color="red" role="alert" variant="outline" my="sm">
      {known ? (
        <Words code={known.code} message={known.message} hint={known.hint} />
      ) : (
        <Text size="sm">{t('frame.unreachable')}</Text>
      )}
      {signedIn && known?.trace_id && known.code !== 'trace_not_found' && (
        <PageLink to="/trace/$id" params={{ id: known.trace_id }} size="sm">
          {t('trace.show')}
        </PageLink>
      )}
    </Alert>
  );
}
