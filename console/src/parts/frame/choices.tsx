import { ActionIcon, Button, Text, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { LANGUAGES, setLanguage } from '../../i18n/i18n.ts';
import { Icon } from './icons.tsx';

/** Two languages need no menu: the button names the other one, in its own words. */
export function LanguageSwitch() {
  const { i18n } = useTranslation();
  const other = LANGUAGES.find(({ code }) => code !== i18n.language) ?? LANGUAGES[0];
  return (
    <Button
      variant="default"
      size="xs"
      px={8}
      lang={other.code}
      aria-label={`${other.code.toUpperCase()} ${other.name}`}
      onClick={() => void setLanguage(other.code)}
    >
      <Text span inherit visibleFrom="sm">
        {other.name}
      </Text>
      <Text span inherit hiddenFrom="sm">
        {other.code.toUpperCase()}
      </Text>
    </Button>
  );
}

export function SchemeToggle() {
  const { t } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  const label = t(dark ? 'frame.light' : 'frame.dark');
  return (
    <ActionIcon
      variant="default"
      size={30}
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(dark ? 'light' : 'dark')}
    >
      <Icon name={dark ? 'sun' : 'moon'} />
    </ActionIcon>
  );
}
