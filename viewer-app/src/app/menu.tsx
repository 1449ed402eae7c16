import { TeamOutlined } from '@ant-design/icons';
import type { ReactNode } from 'react';

/** One entry of the main menu. */
export interface MenuEntry {
  readonly key: 'worklist';
  readonly to: '/';
  readonly icon: ReactNode;
  readonly roles: readonly string[];
}

const ENTRIES: readonly MenuEntry[] = [
  { key: 'worklist', to: '/', icon: <TeamOutlined />, roles: ['clinician'] },
];

/** The entries a person may see; the server enforces the same again. */
export function menuFor(roles: readonly string[]): readonly MenuEntry[] {
  return ENTRIES.filter((entry) => entry.roles.some((role) => roles.includes(role)));
}
