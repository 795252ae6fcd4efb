import { explain, overview } from '../../src/cli/help.ts';
import { COMMANDS, type CommandName } from '../../src/cli/table.ts';
import { openTerminal } from '../../src/cli/terminal.ts';

/** `docs/cli.md`: what `caudal help` and `caudal <command> --help` print. */
export async function cliPage(): Promise<string> {
  const terminal = openTerminal({ stdout: process.stdout, stderr: process.stderr, env: { NO_COLOR: '1' } });
  const names = Object.keys(COMMANDS) as CommandName[];
  const sections = await Promise.all(
    names.map(async (name) => {
      const { command } = await COMMANDS[name].load();
      return `## caudal ${name}\n\n${block(explain(terminal, name, command))}`;
    }),
  );
  return `<!-- made by scripts/docs.ts from src/cli/table.ts -->

# Command line

\`./caudal\` in the checkout. It talks HTTP to the gateway like any client, as [operate.md](operate.md) says with which
settings; \`up\`, \`serve\`, \`logs\`, \`migrate\`, \`backup\` and \`restore\` work on this machine itself.

${block(overview(terminal))}
${sections.join('\n')}`;
}

function block(text: string): string {
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
}
