# Integrates x'' = -x from (1, 0) for whole periods and prints how far it ends from where it began.
# Options: method (euler, midpoint, rk4), steps (of one period), turns (how many periods).

BEGIN {
    h = 8 * atan2(1, 1) / steps
    x = 1
    v = 0
    for (i = 0; i < steps * turns; i++) {
        if (method == "euler") advance(v, -x)
        else if (method == "midpoint") advance(v - h / 2 * x, -(x + h / 2 * v))
        else if (method == "rk4") runge_kutta()
        else exit 2
    }
    printf "%s %d %.6e\n", method, steps, sqrt((x - 1) ^ 2 + v ^ 2)
}

function advance(dx, dv) {
    x += h * dx
    v += h * dv
}

function runge_kutta(    k1, l1, k2, l2, k3, l3, k4, l4) {
    k1 = v;              l1 = -x
    k2 = v + h / 2 * l1; l2 = -(x + h / 2 * k1)
    k3 = v + h / 2 * l2; l3 = -(x + h / 2 * k2)
    k4 = v + h * l3;     l4 = -(x + h * k3)
    advance((k1 + 2 * k2 + 2 * k3 + k4) / 6, (l1 + 2 * l2 + 2 * l3 + l4) / 6)
}
