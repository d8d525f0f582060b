// Light or dark: as the system has it, until the user chooses.

const PLACE = 'lambda-microservice.theme';
export type Theme = 'system' | 'light' | 'dark';
const THEMES: Theme[] = ['system', 'light', 'dark'];

export function theme(): Theme {
  return THEMES.find((each) => each === localStorage.getItem(PLACE)) ?? 'system';
}

export function choose(chosen: Theme): void {
  localStorage.setItem(PLACE, chosen);
  apply();
}

export function apply(): void {
  const chosen = theme();
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
