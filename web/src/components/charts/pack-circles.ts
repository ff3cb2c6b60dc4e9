export interface Circle {
  x: number;
  y: number;
  r: number;
}

/**
 * Places circles of the given radii close together around the origin without overlap, the first in the middle. Each
 * comes to touch two that lie already, where it is nearest to the centre. Give them from the largest to the smallest.
 */
export function packCircles(radii: readonly number[], gap: number): Circle[] {
  const placed: Circle[] = [];
  for (const r of radii) placed.push(placeNext(placed, r, gap));
  return placed;
}

function placeNext(placed: readonly Circle[], r: number, gap: number): Circle {
  const first = placed[0];
  if (!first) return { x: 0, y: 0, r };
  if (placed.length === 1) return { x: first.r + r + gap, y: 0, r };
  let best: Circle | null = null;
  let nearest = Infinity;
  for (let i = 0; i < placed.length; i += 1) {
    for (let j = i + 1; j < placed.length; j += 1) {
      for (const at of tangents(placed[i], placed[j], r, gap)) {
        const distance = at.x * at.x + at.y * at.y;
        if (distance < nearest && placed.every((other) => apart(at, other, gap))) {
          nearest = distance;
          best = at;
        }
      }
    }
  }
  const edge = Math.max(...placed.map((circle) => circle.x + circle.r));
  return best ?? { x: edge + r + gap, y: 0, r };
}

/** Both circles of radius `r` that touch `a` and `b`. */
function tangents(a: Circle | undefined, b: Circle | undefined, r: number, gap: number): Circle[] {
  if (!a || !b) return [];
  const toA = a.r + r + gap;
  const toB = b.r + r + gap;
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const d = Math.hypot(dx, dy);
  if (d === 0 || d > toA + toB) return [];
  const along = (d * d + toA * toA - toB * toB) / (2 * d);
  const square = toA * toA - along * along;
  if (square < 0) return [];
  const away = Math.sqrt(square);
  const x = a.x + (dx * along) / d;
  const y = a.y + (dy * along) / d;
  return [
    { x: x + (dy * away) / d, y: y - (dx * away) / d, r },
    { x: x - (dy * away) / d, y: y + (dx * away) / d, r },
  ];
}

function apart(a: Circle, b: Circle, gap: number): boolean {
  return Math.hypot(a.x - b.x, a.y - b.y) >= a.r + b.r + gap - 1e-6;
}
