import { Group, Progress, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { type Accounting as Account, balances } from '../../../../src/contract/accounting.ts';
import { formatNumber } from '../format.ts';

const PARTS = [
  ['accepted', 'teal.8'],
  ['quarantined', 'orange.9'],
  ['duplicates', 'gray.7'],
] as const;

/** read = accepted + quarantined + duplicates, as a bar and in numbers; says so when it does not balance. */
export function Accounting({ accounting }: { accounting: Account }) {
  const { t } = useTranslation();
  const { read } = accounting;
  const balanced = balances(accounting);
  return (
    <div>
      <Progress.Root size="md" aria-hidden="true">
        {PARTS.map(([part, colour]) => (
          <Progress.Section key={part} value={read === 0 ? 0 : (accounting[part] / read) * 100} color={colour} />
        ))}
      </Progress.Root>
      <Group gap="lg" mt={6} className="tabular tight">
        <Text size="sm">
          {t('accounting.read')} <b>{formatNumber(read)}</b>
        </Text>
        {PARTS.map(([part, colour]) => (
          <Text size="sm" key={part}>
            <span className="dot" style={{ background: `var(--mantine-color-${colour.replace('.', '-')})` }} />
            {t(`accounting.${part}`)} <b>{formatNumber(accounting[part])}</b>
          </Text>
        ))}
        <Text size="sm" c={balanced ? 'dimmed' : 'red'} fw={balanced ? 400 : 600}>
          {balanced ? `✓ ${t('accounting.balanced')}` : `✕ ${t('accounting.unbalanced')}`}
        </Text>
      </Group>
    </div>
  );
}
