/* special_math.h: the gamma function's relatives and the inverse of erf, for scalar.inc: mn_<function>_f64, and _f32, most
 * by way of it.
 *
 * Sources. digamma, polygamma: the recurrence up to where Stirling's series, or Euler and Maclaurin's sum, has as many
 * terms as float64 needs, and reflection for negative numbers (Abramowitz and Stegun 1964, 6.3, 6.4 and 23.2). erfinv:
 * M. J. Wichura's PPND16 ("Algorithm AS 241", Applied Statistics 37, 1988). The derivative of a gamma variate: implicit
 * (M. Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization gradients", 2018). */
#ifndef MN_SPECIAL_MATH_H
#define MN_SPECIAL_MATH_H

#include "scalar_math.h"

#define MN_PI 3.14159265358979323846

/* libm's, which writes the sign where nobody else does. */
static inline double mn_lgamma_f64(double x) {
  int sign;
  return lgamma_r(x, &sign);
}

/* The cotangent of pi x, 0 where it is. */
static inline double mn_cot_pi(double x) {
  double f = x - rint(x);
  return fabs(f) <= 0.25 ? 1 / tan(MN_PI * f) : copysign(tan(MN_PI * (0.5 - fabs(f))), f);
}

/* log x - digamma(x) for x from 10 on: 1/(2x) + sum of B(2k) / (2k x^2k). */
static inline double mn_digamma_rest(double x) {
  double z = 1 / (x * x), s = 1.0 / 12;
  s = 691.0 / 32760 - z * s;
  s = 1.0 / 132 - z * s;
  s = 1.0 / 240 - z * s;
  s = 1.0 / 252 - z * s;
  s = 1.0 / 120 - z * s;
  s = 1.0 / 12 - z * s;
  return 0.5 / x + z * s;
}

static inline double mn_digamma_f64(double x) {
  double y = 0;
  if (x == 0) return copysign((double)INFINITY, -x);
  if (x < 0) {
    if (x == floor(x)) return (double)NAN;
    y = -MN_PI * mn_cot_pi(x);
    x = 1 - x;
  }
  for (; x < 10; x += 1) y -= 1 / x;
  return x == (double)INFINITY ? x : y + (log(x) - mn_digamma_rest(x));
}

static inline double mn_whole_power(double base, int n) {
  double y = 1;
  for (; n; n >>= 1, base *= base)
    if (n & 1) y *= base;
  return y;
}

/* The sum of (x + k)^-(n + 1) over all k from 0 on, x above 0. */
static inline double mn_inverse_powers(int n, double x) {
  static const double b[] = {/* B(2j) / (2j)! */
                             1.0 / 12,
                             -1.0 / 720,
                             1.0 / 30240,
                             -1.0 / 1209600,
                             1.0 / 47900160,
                             -691.0 / 1307674368000.0,
                             1.0 / 74724249600.0,
                             -3617.0 / 10670622842880000.0};
  double sum = 0, a = x, s = n + 1;
  for (; a < 10 + 2 * n; a += 1) sum += mn_whole_power(1 / a, n + 1);
  if (a == (double)INFINITY) return 0;
  double power = mn_whole_power(1 / a, n + 1), term = power / a * s;
  double tail = power * a / n + 0.5 * power;
  for (int j = 0; j < 8; j++) {
    tail += term * b[j];
    term *= (s + 2 * j + 1) * (s + 2 * j + 2) / (a * a);
  }
  return sum + tail;
}

/* The sum for n = 1, two terms by one division. */
static inline double mn_inverse_squares(double x) {
  double sum = 0, a = x;
  for (; a < 8; a += 2) {
    double p = a * a, q = (a + 1) * (a + 1);
    sum += (p + q) / (p * q);
  }
  double r = 1 / a, z = r * r, s = -174611.0 / 330; /* B(20), B(18) .. B(2) */
  s = 43867.0 / 798 + z * s;
  s = -3617.0 / 510 + z * s;
  s = 7.0 / 6 + z * s;
  s = -691.0 / 2730 + z * s;
  s = 5.0 / 66 + z * s;
  s = -1.0 / 30 + z * s;
  s = 1.0 / 42 + z * s;
  s = -1.0 / 30 + z * s;
  s = 1.0 / 6 + z * s;
  return sum + (r + 0.5 * z + r * z * s);
}

enum { MN_POLYGAMMA_MOST = 100 };

/* The derivative of order n of cot at an angle whose cotangent is c: a polynomial in c, P' = -(1 + c^2) dP/dc. All its
 * coefficients that aren't 0 are of one sign and stand at every second power, so nothing cancels. */
static inline double mn_cot_derivative(int n, double c) {
  double p[MN_POLYGAMMA_MOST + 3] = {0, 1};
  for (int k = 1; k <= n; k++) {
    double q[MN_POLYGAMMA_MOST + 3] = {0};
    for (int j = 1; j <= k; j++) q[j - 1] -= j * p[j], q[j + 1] -= j * p[j];
    for (int j = 0; j <= k + 1; j++) p[j] = q[j];
  }
  double y = 0;
  for (int j = n + 1; j >= 0; j--) y = y * c + p[j];
  return y;
}

/* Of a whole n from 0 to MN_POLYGAMMA_MOST. */
static inline double mn_polygamma_f64(double x, double order) {
  int n = (int)order;
  if (n == 0) return mn_digamma_f64(x);
  if (x != x) return x;
  double sign = n & 1 ? 1 : -1;
  if (x <= 0 && x == floor(x)) return sign * (double)INFINITY;
  double at = x > 0 ? x : 1 - x;
  double y = n == 1 ? mn_inverse_squares(at) : sign * tgamma(n + 1.0) * mn_inverse_powers(n, at);
  if (x > 0) return y;
  return -sign * y - mn_whole_power(MN_PI, n + 1) * mn_cot_derivative(n, mn_cot_pi(x));
}

static inline double mn_ratio(const double *p, const double *q, double r) {
  double above = p[7], below = q[7];
  for (int i = 6; i >= 0; i--) above = above * r + p[i], below = below * r + q[i];
  return above / below;
}

/* The normal distribution's quantile of (1 + y) / 2, over sqrt 2. */
static inline double mn_erfinv_f64(double y) {
  static const double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                             1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                             3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static const double b[] = {1,
                             4.2313330701600911252e+1,
                             6.8718700749205790830e+2,
                             5.3941960214247511077e+3,
                             2.1213794301586595867e+4,
                             3.9307895800092710610e+4,
                             2.8729085735721942674e+4,
                             5.2264952788528545610e+3};
  static const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                             3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                             2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static const double d[] = {1,
                             2.05319162663775882187e0,
                             1.67638483018380384940e0,
                             6.89767334985100004550e-1,
                             1.48103976427480074590e-1,
                             1.51986665636164571966e-2,
                             5.47593808499534494600e-4,
                             1.05075007164441684324e-9};
  static const double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                             2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                             2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static const double f[] = {1,
                             5.99832206555887937690e-1,
                             1.36929880922735805310e-1,
                             1.48753612908506148525e-2,
                             7.86869131145613259100e-4,
                             1.84631831751005468180e-5,
                             1.42151175831644588870e-7,
                             2.04426310338993978564e-15};
  const double root_half = 0.70710678118654752440;
  double size = fabs(y), q = 0.5 * y;
  if (size <= 0.85) return root_half * q * mn_ratio(a, b, 0.180625 - q * q);
  if (size == 1) return copysign((double)INFINITY, y);
  double r = sqrt(-log(0.5 * (1 - size)));
  return copysign(root_half * (r <= 5 ? mn_ratio(c, d, r - 1.6) : mn_ratio(e, f, r - 5)), y) +
         (size > 1 ? (double)NAN : 0);
}

/* ---- the derivative of a gamma variate x by its concentration a, at equal probability: -(dP/da) / (dP/dx), to a part of
 * `eps` ---- */

/* By P's power series, for x up to a + 1: x times the sum of t(n) (digamma(a + n + 1) - log x). */
static inline double mn_gamma_slope_series(double a, double x, double eps) {
  double t = 1 / a, psi = mn_digamma_f64(a + 1) - log(x), sum = 0;
  for (double n = a + 1; n < a + 100000; n += 1) {
    double term = t * psi;
    sum += term;
    if (psi > 0 && term < eps / 4 * sum) break;
    double part = 1 / n;
    t *= x * part;
    psi += part;
  }
  return x * sum;
}

/* By the continued fraction of 1 - P and its derivative, each step of W. J. Lentz's method in both. */
static inline double mn_gamma_slope_fraction(double a, double x, double eps) {
  double b = x + 1 - a, c = 1 / DBL_MIN, dc = 0, d = 1 / b, dd = d * d, h = d, dh = dd;
  for (double i = 1; i < 100000; i += 1) {
    double n = -i * (i - a);
    b += 2;
    dd = i * d + n * dd - 1;
    d = n * d + b;
    dc = i / c - n * dc / (c * c) - 1;
    c = b + n / c;
    d = 1 / d;
    dd *= -d * d;
    double factor = d * c, dfactor = dd * c + d * dc;
    dh = dh * factor + h * dfactor;
    h *= factor;
    if (fabs(factor - 1) < eps && fabs(h * dfactor) <= eps * fabs(dh)) break;
  }
  return x * (h * (log(x) - mn_digamma_f64(a)) + dh);
}

/* The normal variate whose E. A. Cornish and R. A. Fisher expansion x is, for large a; so far out that no probability
 * is left, the first term. */
static inline double mn_gamma_normal(double a, double x) {
  double w = 1 / sqrt(a), y = (x - a) * w, z = y;
  if (fabs(y) > 40) return y;
  for (int i = 0; i < 6; i++) {
    double z2 = z * z;
    double value =
        z + w * (z2 - 1) / 3 + w * w * (z2 - 7) * z / 36 - w * w * w * (3 * z2 * z2 + 7 * z2 - 16) / 810;
    double slope = 1 + w * 2 * z / 3 + w * w * (3 * z2 - 7) / 36;
    z -= (value - y) / slope;
  }
  return z;
}

/* By the derivative of that expansion. */
static inline double mn_gamma_slope_normal(double a, double x) {
  double w = 1 / sqrt(a), z = mn_gamma_normal(a, x), z2 = z * z;
  if (fabs(z) > 40) return 1 + w * z / 2;
  return 1 + w * z / 2 - w * w * w * (z2 - 7) * z / 72 + w * w * w * w * (3 * z2 * z2 + 7 * z2 - 16) / 810;
}

static inline double mn_gamma_slope(double a, double x, double eps) {
  if (!(a > 0 && x >= 0)) return (double)NAN;
  if (x == 0) return 0;
  if (a > 1e5) return mn_gamma_slope_normal(a, x);
  return x < a + 1 ? mn_gamma_slope_series(a, x, eps) : mn_gamma_slope_fraction(a, x, eps);
}

static inline double mn_gamma_slope_f64(double a, double x) { return mn_gamma_slope(a, x, DBL_EPSILON); }

/* x^a e^-x / gamma(a); of larger a by Stirling's series, as the logarithms of these would cancel. */
static inline double mn_gamma_front(double a, double x) {
  if (a < 20) return exp(a * log(x) - x - mn_lgamma_f64(a));
  double apart = (x - a) / a, z = 1 / (a * a);
  double rest = (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z / 1680))) / a;
  return sqrt(a / (2 * MN_PI)) * exp(-a * (apart - log1p(apart)) - rest);
}

/* P itself, by the same series and fraction. */
static inline double mn_gamma_cdf_f64(double a, double x) {
  if (!(a > 0 && x >= 0)) return (double)NAN;
  if (x == 0 || x == (double)INFINITY) return x == 0 ? 0 : 1;
  if (a > 1e6) return 0.5 * erfc(-0.70710678118654752440 * mn_gamma_normal(a, x));
  double front = mn_gamma_front(a, x);
  if (x < a + 1) {
    double t = 1 / a, sum = t;
    for (double n = a + 1; t > DBL_EPSILON / 4 * sum; n += 1) t *= x / n, sum += t;
    return front * sum;
  }
  double b = x + 1 - a, c = 1 / DBL_MIN, d = 1 / b, h = d;
  for (double i = 1; i < 100000; i += 1) {
    double n = -i * (i - a);
    b += 2;
    d = 1 / (n * d + b);
    c = b + n / c;
    h *= d * c;
    if (fabs(d * c - 1) < DBL_EPSILON) break;
  }
  return 1 - front * h;
}

/* ---- float32 ---- */
/* Within 4e-7 of itself: M. Giles, "Approximating the erfinv function", GPU Computing Gems, 2012. Both its polynomials,
 * of w = -log(1 - x^2), as a loop without branches is vectorised. */
static inline float mn_erfinv_f32(float x) {
  float w = -mn_log_f32((1.0f - x) * (1.0f + x)), t = w - 2.5f, near = 2.81022636e-08f;
  near = MN_FMAF(near, t, 3.43273939e-07f);
  near = MN_FMAF(near, t, -3.5233877e-06f);
  near = MN_FMAF(near, t, -4.39150654e-06f);
  near = MN_FMAF(near, t, 0.00021858087f);
  near = MN_FMAF(near, t, -0.00125372503f);
  near = MN_FMAF(near, t, -0.00417768164f);
  near = MN_FMAF(near, t, 0.246640727f);
  near = MN_FMAF(near, t, 1.50140941f);
  float u = __builtin_sqrtf(w) - 3.0f, far = -0.000200214257f;
  far = MN_FMAF(far, u, 0.000100950558f);
  far = MN_FMAF(far, u, 0.00134934322f);
  far = MN_FMAF(far, u, -0.00367342844f);
  far = MN_FMAF(far, u, 0.00573950773f);
  far = MN_FMAF(far, u, -0.0076224613f);
  far = MN_FMAF(far, u, 0.00943887047f);
  far = MN_FMAF(far, u, 1.00167406f);
  far = MN_FMAF(far, u, 2.83297682f);
  float y = (w < 5.0f ? near : far) * x;
  return fabsf(x) == 1.0f ? copysignf(INFINITY, x) : y;
}
static inline float mn_lgamma_f32(float x) { return (float)mn_lgamma_f64(x); }
static inline float mn_digamma_f32(float x) { return (float)mn_digamma_f64(x); }
static inline float mn_polygamma_f32(float x, float n) { return (float)mn_polygamma_f64(x, n); }
static inline float mn_gamma_slope_f32(float a, float x) { return (float)mn_gamma_slope(a, x, 1e-9); }
static inline float mn_gamma_cdf_f32(float a, float x) { return (float)mn_gamma_cdf_f64(a, x); }

#endif
