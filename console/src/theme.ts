import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

/** Deep water. Shade 7 on white and shade 3 on dark reach WCAG AA for text. */
const river: MantineColorsTuple = [
  '#e6f6fb',
  '#cfe9f2',
  '#a0d3e4',
  '#6ebbd5',
  '#46a7c9',
  '#2d9ac2',
  '#1a8fb7',
  '#0b6e8f',
  '#075c79',
  '#034a62',
];

/** Greys with a little of the river in them, for inputs, borders and grounds of the dark scheme. */
const dark: MantineColorsTuple = [
  '#d6dbe1',
  '#bcc4cd',
  '#a3acb6',
  '#79838d',
  '#3f4852',
  '#333a43',
  '#272c33',
  '#1f2329',
  '#1a1e23',
  '#16191d',
];

/** A dialog's header is an HTML header, but no banner of the page. */
const headed = { defaultProps: { attributes: { header: { role: 'presentation' } } } };

export const theme = createTheme({
  components: {
    Modal: headed,
    Drawer: headed,
    // Inside the landmark that its button is in, and its first item takes the focus.
    Menu: { defaultProps: { withinPortal: false, withInitialFocusPlaceholder: false } },
  },
  primaryColor: 'river',
  primaryShade: { light: 7, dark: 7 },
  colors: { river, dark },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  defaultRadius: 'md',
  autoContrast: true,
  respectReducedMotion: true,
  cursorType: 'pointer',
});

/** Mantine's own light greys and reds miss 4.5 : 1 on white; these reach it, on the page's ground too. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--caudal-ground': '#f5f7f9',
    '--caudal-surface': '#ffffff',
    '--mantine-color-dimmed': '#4d565f',
    '--mantine-color-placeholder': '#6b747d',
    '--mantine-color-error': '#c01c1c',
    '--mantine-color-red-text': '#b91c1c',
    '--mantine-color-anchor': '#0b6482',
    '--mantine-color-teal-light-color': '#066649',
    '--mantine-color-red-light-color': '#a81818',
    '--mantine-color-gray-light-color': '#434b53',
    '--mantine-color-river-light-color': '#075c79',
  },
  dark: {
    '--caudal-ground': '#16191d',
    '--caudal-surface': '#1f2329',
    '--mantine-color-dimmed': '#a9b2bc',
    '--mantine-color-placeholder': '#8d97a1',
    '--mantine-color-error': '#ff8787',
    '--mantine-color-red-text': '#ff8787',
    '--mantine-color-anchor': '#6ebbd5',
    '--mantine-color-teal-light-color': '#63e6be',
    '--mantine-color-red-light-color': '#ffa8a8',
    '--mantine-color-gray-light-color': '#dee2e6',
    '--mantine-color-river-light-color': '#a0d3e4',
  },
});
