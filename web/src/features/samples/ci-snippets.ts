export interface Check {
  agent: string;
  set: string;
  split: "select" | "reflect";
}

/** As one word of a shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function check({ agent, set, split }: Check, file: string): string {
  const chosen = split === "select" ? "" : ` --split ${split}`;
  return `spectral check --agent ${quoted(agent)} --config ${file} --set ${quoted(set)}${chosen}`;
}

export function checkCommand(wanted: Check, origin: string): string {
  return ["pip install spectral", `export SPECTRAL_URL=${origin}`, "export SPECTRAL_KEY=st_live_…", check(wanted, "agent.json")].join("\n");
}

export function actionsWorkflow(wanted: Check): string {
  return `name: agents
on:
  pull_request:
    paths: ["agents/**"]
jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.11"
      - run: pip install spectral
      - name: Compare with what is live
        env:
          SPECTRAL_URL: \${{ vars.SPECTRAL_URL }}
          SPECTRAL_KEY: \${{ secrets.SPECTRAL_KEY }}
        run: >-
          ${check(wanted, "agents/agent.yaml")} --timeout 1500
`;
}
