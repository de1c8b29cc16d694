"""The AC state of the bulk grid: a pandapower net, solved by lightsim2grid.

Both engines hold the same net, built once: one load per bus that carries the bus's *net* draw (load less all
unit outputs less the outputs of regulators at a reactive limit) and one generator without active power per
bus that can be regulated. What an engine returns is only the voltages; flows, losses and reactive outputs
are computed from the case itself by `BranchModel`.

At the first solution of a market interval the reactive limits are settled: a regulator that passes a limit
stops there, and one that rests at a limit takes its bus back when the voltage lets it. The set then stays
for the interval. pandapower's own search takes regulators off only, all that pass at once, and never back;
it is twenty times slower, and where it takes one off too many it ends up to 0.004 pu away. It serves as the
reference instead.

The solver's slack bus absorbs nothing: the imbalance is shared among units outside the solver until the
slack's own residual vanishes, so the state does not depend on which bus is the slack.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core.arrays import BoolArray, ComplexArray, FloatArray, IntArray
from federates.core.errors import ConfigError, DivergedError
from federates.transmission.branch_model import BranchModel
from federates.transmission.regulation import Regulation, participation_factors, regulators

RESIDUAL_MW = 1e-6
"""Least of what may be left to the slack bus. [MW]"""
RESIDUAL_SHARE = 2e-9
"""Greatest active power that the slack bus may absorb, as a share of the load."""
Q_TOLERANCE_MVAR = 1e-6
"""Width by which a reactive limit must be passed to count. [Mvar]"""
V_TOLERANCE_PU = 1e-7
"""Width by which a set-point must be passed before a regulator takes its bus back. [pu]"""
NEWTON_TOLERANCE_PU = 1e-10
"""Greatest power mismatch of a power flow on the case's base. [pu]"""
NEWTON_ITERATIONS = 30
SHARING_PASSES = 12
REGULATION_ROUNDS = 30
RETURNING_ROUNDS = 10
"""Rounds after which a regulator at its limit stays there, so that the search ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSolution:
    """One AC state of the bulk grid; generation and flow into a branch are positive."""

    v_pu: FloatArray
    """Voltage magnitude, shape (buses,). [pu]"""
    angle_deg: FloatArray
    """Voltage angle against the case's reference bus, shape (buses,). [deg]"""
    unit_mw: FloatArray
    """Output of each unit: set-point and participation, shape (units,). [MW]"""
    unit_mvar: FloatArray
    """Reactive output of each unit, shape (units,). [Mvar]"""
    branch_from_mw: FloatArray
    """Power entering at the from end, shape (branches,). [MW]"""
    branch_from_mvar: FloatArray
    """Reactive power entering at the from end, shape (branches,). [Mvar]"""
    branch_to_mw: FloatArray
    """Power entering at the to end, shape (branches,). [MW]"""
    branch_to_mvar: FloatArray
    """Reactive power entering at the to end, shape (branches,). [Mvar]"""
    loading: FloatArray
    """Apparent power at the busier end over the rating as MVA; 0 without one, shape (branches,)."""
    losses_mw: float
    """Active power lost in all branches. [MW]"""
    participation_mw: FloatArray
    """Part of the imbalance that each unit took on, shape (units,). [MW]"""
    share: FloatArray
    """Share of each unit in an imbalance, adding up to one, shape (units,)."""
    residual_mw: float
    """Active power left to the solver's slack bus. [MW]"""
    q_excess_mvar: float
    """Greatest amount by which a regulator passes its frozen reactive limit. [Mvar]"""
    passes: int
    """Power flows solved for this state."""
    restarted: bool
    """Whether the warm start failed and the power flow was solved from a flat start."""


@dataclass(slots=True)
class _Interval:
    """What is fixed over a market interval."""

    set_point_mw: FloatArray
    dc_flow_mw: FloatArray
    factors: FloatArray
    regulation: Regulation
    holds: BoolArray
    """Whether the voltage of the bus is held; the rest of the regulators stand at a limit, shape (buses,)."""
    at_limit_mvar: FloatArray
    """Output of the regulators of a bus while they do not hold it, shape (buses,). [Mvar]"""
    slack: int
    frozen: bool


class BulkNetwork:
    """The bulk grid as two engines hold it, and the state that it was last seen in."""

    def __init__(self, case: TransmissionCase) -> None:
        units = case.units
        able = units.regulates & (units.q_max_mvar > units.q_min_mvar)
        self._case = case
        self._n_buses = len(case.buses.ids)
        self._branches = BranchModel(case)
        self._regulable: IntArray = np.unique(units.bus[able])
        self._gen_of_bus = {int(bus): gen for gen, bus in enumerate(self._regulable)}
        self._net = _pandapower_net(case, self._regulable)
        self._grid = _lightsim_grid(self._net)
        self._active = np.ones(self._regulable.size, dtype=np.bool_)
        self._held_at_pu = np.ones(self._regulable.size)
        self._slack_gen = 0
        self._drawn = np.full((2, self._n_buses), np.nan)
        self._v: ComplexArray = np.ones(self._n_buses, dtype=np.complex128)
        self._imbalance_mw = 0.0
        self._slope = -1.0
        self._interval: _Interval | None = None
        self._passes = 0
        self._restarted = False

    def begin_interval(
        self,
        committed: BoolArray,
        set_point_mw: FloatArray,
        headroom_mw: FloatArray,
        dc_flow_mw: FloatArray | None = None,
    ) -> None:
        """Take on a dispatch; the next `solve` settles who holds voltage, until the next interval.

        Parameters
        ----------
        committed
            Whether each unit is on, shape (units,).
        set_point_mw
            Output asked of each unit, negative for charging, shape (units,). [MW]
        headroom_mw
            Committed room by which an imbalance is shared, zero for units that take no part,
            shape (units,). [MW]
        dc_flow_mw
            Flow of each DC line from its from to its to bus, shape (dc lines,); None: no flow. [MW]

        Raises
        ------
        ConfigError
            If nothing that is on can hold a voltage, or no unit can take on an imbalance.
        """
        case = self._case
        on = np.asarray(committed, dtype=np.bool_)
        regulation = regulators(case.units, on, self._n_buses)
        factors = participation_factors(case.units, on, headroom_mw)
        if not regulation.on.any():
            raise ConfigError(f"{case.name}: no committed unit and no support device holds a voltage")
        if not factors.any():
            raise ConfigError(f"{case.name}: no committed unit can take on the grid's imbalance")
        flow = np.zeros(len(case.dc_lines.ids)) if dc_flow_mw is None else dc_flow_mw
        self._interval = _Interval(
            set_point_mw=set_point_mw.copy(),
            dc_flow_mw=flow.copy(),
            factors=factors,
            regulation=regulation,
            holds=regulation.on.copy(),
            at_limit_mvar=np.zeros(self._n_buses),
            slack=_widest(regulation, regulation.on),
            frozen=False,
        )

    def follow(self, set_point_mw: FloatArray) -> None:
        """Take on other set-points within the interval; who holds voltage and shares imbalance stays.

        Raises
        ------
        DivergedError
            If no dispatch was taken on yet.
        """
        if self._interval is None:
            raise DivergedError(f"{self._case.name}: no dispatch yet; call begin_interval first")
        self._interval.set_point_mw = set_point_mw.copy()

    def solve(self, load_mw: FloatArray, load_mvar: FloatArray) -> FlowSolution:
        """AC state at these loads.

        Parameters
        ----------
        load_mw
            Withdrawal of each bus, LDA interchange included, shape (buses,). [MW]
        load_mvar
            Reactive withdrawal of each bus, shape (buses,). [Mvar]

        Returns
        -------
        FlowSolution
            The state, with the slack's residual below `RESIDUAL_MW` or `RESIDUAL_SHARE` of the load.

        Raises
        ------
        DivergedError
            If no power flow converges, or the imbalance or the reactive limits do not settle.
        """
        interval = self._interval
        if interval is None:
            raise DivergedError(f"{self._case.name}: no dispatch yet; call begin_interval first")
        self._passes, self._restarted = 0, False
        if not interval.frozen:
            self._freeze(interval, load_mw, load_mvar)
        injections, residual_mw = self._share(interval, load_mw, load_mvar)
        return self._solution(interval, injections, residual_mw, load_mvar)

    def solve_with_pandapower(
        self, load_mw: FloatArray, load_mvar: FloatArray, *, enforce_q_lims: bool = False
    ) -> ComplexArray:
        """Voltages that pandapower finds at the last shared imbalance: the reference for `solve`.

        Parameters
        ----------
        load_mw, load_mvar
            As for `solve`, which must have been called for this interval.
        enforce_q_lims
            Whether pandapower searches for the regulators at a limit itself, from all of them; else it takes
            over the set of held buses.

        Returns
        -------
        numpy.ndarray
            Complex voltages against the reference bus, shape (buses,). [pu]

        Raises
        ------
        DivergedError
            If there is no state to compare with, or pandapower does not converge.
        """
        interval = self._interval
        if interval is None or not interval.frozen:
            raise DivergedError(f"{self._case.name}: nothing solved in this interval yet; call solve first")
        on = interval.regulation.on if enforce_q_lims else interval.holds
        drawn_mw, drawn_mvar = self._net_draw(interval, load_mw, load_mvar)
        if enforce_q_lims:
            drawn_mvar = load_mvar
        self._run_pandapower(interval, drawn_mw, drawn_mvar, on[self._regulable], enforce_q_lims)
        return self._from_reference(_pandapower_voltages(self._net))

    def save(self) -> dict[str, FloatArray]:
        """Arrays from which another network of the case starts as this one would go on."""
        return {
            "v_real_pu": self._v.real.copy(),
            "v_imag_pu": self._v.imag.copy(),
            "sharing": np.array([self._imbalance_mw, self._slope]),
        }

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take on what `save` gave; call `begin_interval` next."""
        self._v = state["v_real_pu"] + 1j * state["v_imag_pu"]
        self._imbalance_mw, self._slope = (float(x) for x in state["sharing"])
        self._interval = None

    def _freeze(self, interval: _Interval, load_mw: FloatArray, load_mvar: FloatArray) -> None:
        """Settle which regulators hold their bus, from all of them."""
        for round_ in range(REGULATION_ROUNDS):
            injections, _ = self._share(interval, load_mw, load_mvar)
            if not self._amend(interval, injections.imag + load_mvar, may_return=round_ < RETURNING_ROUNDS):
                interval.frozen = True
                return
        raise DivergedError(
            f"{self._case.name}: the reactive limits did not settle in {REGULATION_ROUNDS} rounds; "
            "check the voltage set-points of neighbouring regulators"
        )

    def _amend(self, interval: _Interval, bus_mvar: FloatArray, *, may_return: bool) -> bool:
        """Take regulators off or back on at their limits; whether anything changed."""
        regulation = interval.regulation
        v_pu = np.abs(self._v)
        above = interval.holds & (bus_mvar > regulation.q_max_mvar + Q_TOLERANCE_MVAR)
        below = interval.holds & (bus_mvar < regulation.q_min_mvar - Q_TOLERANCE_MVAR)
        resting = regulation.on & ~interval.holds
        at_max = resting & (interval.at_limit_mvar == regulation.q_max_mvar)
        back = np.where(
            at_max,
            v_pu > regulation.v_set_pu + V_TOLERANCE_PU,
            v_pu < regulation.v_set_pu - V_TOLERANCE_PU,
        )
        back &= resting & may_return
        changed = above | below | back
        if not changed.any():
            return False
        interval.at_limit_mvar = np.where(above, regulation.q_max_mvar, interval.at_limit_mvar)
        interval.at_limit_mvar = np.where(below, regulation.q_min_mvar, interval.at_limit_mvar)
        interval.at_limit_mvar[back] = 0.0
        interval.holds = (interval.holds & ~above & ~below) | back
        if not interval.holds.any():
            raise DivergedError(
                f"{self._case.name}: every regulator is at a reactive limit; add voltage support"
            )
        if not interval.holds[interval.slack]:
            interval.slack = _widest(regulation, interval.holds)
        return True

    def _share(
        self, interval: _Interval, load_mw: FloatArray, load_mvar: FloatArray
    ) -> tuple[ComplexArray, float]:
        """Bus injections once the imbalance is shared, and the slack's residual [MW]; a secant search."""
        self._set_regulators(interval)
        last_x = last_residual = np.nan
        accepted_mw = max(RESIDUAL_MW, RESIDUAL_SHARE * float(np.abs(load_mw).sum()))
        for _ in range(SHARING_PASSES):
            drawn_mw, drawn_mvar = self._net_draw(interval, load_mw, load_mvar)
            self._power_flow(drawn_mw, drawn_mvar)
            injections = self._branches.injections_mva(self._v)
            residual = float(injections.real[interval.slack] + drawn_mw[interval.slack])
            if abs(residual) < accepted_mw:
                return injections, residual
            x = self._imbalance_mw
            if abs(x - last_x) > RESIDUAL_MW:
                slope = (residual - last_residual) / (x - last_x)
                self._slope = slope if -2.0 < slope < -0.5 else -1.0
            last_x, last_residual = x, residual
            self._imbalance_mw = x - residual / self._slope
        raise DivergedError(
            f"{self._case.name}: the imbalance was not shared in {SHARING_PASSES} passes; "
            f"the slack at {self._case.buses.ids[interval.slack]} still takes {residual:.3g} MW"
        )

    def _net_draw(
        self, interval: _Interval, load_mw: FloatArray, load_mvar: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Net draw of every bus but for the buses' held regulators. [MW, Mvar]"""
        case = self._case
        outputs = interval.set_point_mw + interval.factors * self._imbalance_mw
        drawn_mw = load_mw - np.bincount(case.units.bus, weights=outputs, minlength=self._n_buses)
        np.add.at(drawn_mw, case.dc_lines.from_bus, interval.dc_flow_mw)
        np.subtract.at(drawn_mw, case.dc_lines.to_bus, interval.dc_flow_mw)
        return drawn_mw, load_mvar - interval.at_limit_mvar

    def _set_regulators(self, interval: _Interval) -> None:
        """Bring the fast engine's generators to the interval's held buses, set-points and slack."""
        grid = self._grid
        held = interval.holds[self._regulable]
        v_set = interval.regulation.v_set_pu[self._regulable]
        for gen in np.flatnonzero(held & ~self._active).tolist():
            grid.reactivate_gen(gen)
        slack_gen = self._gen_of_bus[interval.slack]
        if slack_gen != self._slack_gen:
            grid.add_gen_slackbus(slack_gen, 1.0)
            grid.remove_gen_slackbus(self._slack_gen)
            self._slack_gen = slack_gen
        for gen in np.flatnonzero(~held & self._active).tolist():
            grid.deactivate_gen(gen)
        for gen in np.flatnonzero(v_set != self._held_at_pu).tolist():
            grid.change_v_gen(gen, float(v_set[gen]))
        if (held != self._active).any():
            grid.tell_solver_need_reset()
        self._active = held.copy()
        self._held_at_pu = v_set.copy()

    def _power_flow(self, drawn_mw: FloatArray, drawn_mvar: FloatArray) -> None:
        """Solve the fast engine at these net draws; the voltages become the state."""
        grid = self._grid
        for bus in np.flatnonzero(drawn_mw != self._drawn[0]).tolist():
            grid.change_p_load(bus, float(drawn_mw[bus]))
        for bus in np.flatnonzero(drawn_mvar != self._drawn[1]).tolist():
            grid.change_q_load(bus, float(drawn_mvar[bus]))
        self._drawn = np.stack([drawn_mw, drawn_mvar])
        self._passes += 1
        v = grid.ac_pf(self._v.copy(), NEWTON_ITERATIONS, NEWTON_TOLERANCE_PU)
        if v.size == 0:
            self._restarted = True
            flat = np.ones(self._n_buses, dtype=np.complex128)
            start = grid.dc_pf(flat.copy(), NEWTON_ITERATIONS, NEWTON_TOLERANCE_PU)
            start = np.exp(1j * np.angle(start)) if start.size else flat
            grid.tell_solver_need_reset()
            v = grid.ac_pf(start, NEWTON_ITERATIONS, NEWTON_TOLERANCE_PU)
        if v.size == 0:
            raise DivergedError(
                f"{self._case.name}: the power flow diverged from a warm and from a flat start at "
                f"{drawn_mw.sum():.1f} MW net draw; add voltage support or lower the load"
            )
        self._v = v

    def _run_pandapower(
        self,
        interval: _Interval,
        drawn_mw: FloatArray,
        drawn_mvar: FloatArray,
        held: BoolArray,
        enforce_q_lims: bool,
    ) -> None:
        import pandapower

        net, regulation = self._net, interval.regulation
        net.load["p_mw"] = drawn_mw
        net.load["q_mvar"] = drawn_mvar
        net.gen["in_service"] = held
        net.gen["slack"] = self._regulable == interval.slack
        net.gen["vm_pu"] = regulation.v_set_pu[self._regulable]
        net.gen["min_q_mvar"] = regulation.q_min_mvar[self._regulable]
        net.gen["max_q_mvar"] = regulation.q_max_mvar[self._regulable]
        try:
            pandapower.runpp(
                net,
                init="dc",
                enforce_q_lims=enforce_q_lims,
                calculate_voltage_angles=True,
                tolerance_mva=NEWTON_TOLERANCE_PU * self._case.base_mva,
                numba=False,
            )
        except pandapower.LoadflowNotConverged as error:
            raise DivergedError(f"{self._case.name}: pandapower did not converge: {error}") from error

    def _from_reference(self, v: ComplexArray) -> ComplexArray:
        turned: ComplexArray = v * np.exp(-1j * np.angle(v[self._case.reference_bus]))
        return turned

    def _solution(
        self, interval: _Interval, injections: ComplexArray, residual_mw: float, load_mvar: FloatArray
    ) -> FlowSolution:
        case, regulation = self._case, interval.regulation
        v = self._from_reference(self._v)
        s_from, s_to = self._branches.flows_mva(v)
        bus_mvar = np.where(regulation.on, injections.imag + load_mvar, 0.0)
        excess = np.maximum(bus_mvar - regulation.q_max_mvar, regulation.q_min_mvar - bus_mvar)
        participation_mw = interval.factors * self._imbalance_mw
        return FlowSolution(
            v_pu=np.abs(v),
            angle_deg=np.rad2deg(np.angle(v)),
            unit_mw=interval.set_point_mw + participation_mw,
            unit_mvar=regulation.unit_mvar(case.units, bus_mvar),
            branch_from_mw=s_from.real,
            branch_from_mvar=s_from.imag,
            branch_to_mw=s_to.real,
            branch_to_mvar=s_to.imag,
            loading=np.maximum(np.abs(s_from), np.abs(s_to)) / case.branches.rating_mw,
            losses_mw=float((s_from.real + s_to.real).sum()),
            participation_mw=participation_mw,
            share=interval.factors,
            residual_mw=residual_mw,
            q_excess_mvar=max(float(excess[interval.holds].max()), 0.0),
            passes=self._passes,
            restarted=self._restarted,
        )


def _widest(regulation: Regulation, among: BoolArray) -> int:
    """Bus of ``among`` with the widest reactive range; the first one on a tie."""
    return int(np.argmax(np.where(among, regulation.q_max_mvar - regulation.q_min_mvar, -np.inf)))


def _pandapower_voltages(net: Any) -> ComplexArray:
    v_pu = net.res_bus["vm_pu"].to_numpy()
    v: ComplexArray = v_pu * np.exp(1j * np.deg2rad(net.res_bus["va_degree"].to_numpy()))
    return v


def _lightsim_grid(net: Any) -> Any:
    from lightsim2grid.network import init_from_pandapower

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return init_from_pandapower(net)


def _pandapower_net(case: TransmissionCase, regulable: IntArray) -> Any:
    """Case as a pandapower net: a load per bus, a generator per regulable bus, branches, shunts.

    A branch between equal voltages with ratio 1 and no shift is a line, whatever it is called: its pi model
    is that of a line. Every other branch is a transformer whose low-voltage side is its lower base voltage;
    the MATPOWER ratio sits on the from side, so the tap goes to the side on which the from bus is.
    """
    import pandapower

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=DeprecationWarning)
        warnings.simplefilter("ignore", category=FutureWarning)
        net = pandapower.create_empty_network(sn_mva=case.base_mva, f_hz=60.0)
        n_buses = len(case.buses.ids)
        pandapower.create_buses(net, n_buses, vn_kv=case.buses.base_kv)
        pandapower.create_loads(net, np.arange(n_buses), p_mw=np.zeros(n_buses), q_mvar=np.zeros(n_buses))
        pandapower.create_gens(
            net,
            regulable,
            p_mw=np.zeros(regulable.size),
            vm_pu=np.ones(regulable.size),
            slack=np.arange(regulable.size) == 0,
            min_q_mvar=np.full(regulable.size, -np.inf),
            max_q_mvar=np.full(regulable.size, np.inf),
        )
        shunted = np.flatnonzero(case.buses.shunt_mvar)
        if shunted.size:
            pandapower.create_shunts(net, shunted, q_mvar=-case.buses.shunt_mvar[shunted])
        _add_branches(net, case)
    return net


def _add_branches(net: Any, case: TransmissionCase) -> None:
    import pandapower

    branches, kv = case.branches, case.buses.base_kv
    from_kv, to_kv = kv[branches.from_bus], kv[branches.to_bus]
    tapped = (branches.ratio != 1.0) | (branches.shift_deg != 0.0) | (from_kv != to_kv)
    line = np.flatnonzero(~tapped)
    if line.size:
        z_base_ohm = from_kv[line] ** 2 / case.base_mva
        pandapower.create_lines_from_parameters(
            net,
            branches.from_bus[line],
            branches.to_bus[line],
            length_km=np.ones(line.size),
            r_ohm_per_km=branches.r_pu[line] * z_base_ohm,
            x_ohm_per_km=branches.x_pu[line] * z_base_ohm,
            c_nf_per_km=branches.b_pu[line] / z_base_ohm / (2.0 * np.pi * 60.0) * 1e9,
            max_i_ka=np.ones(line.size),
        )
    for branch in np.flatnonzero(tapped).tolist():
        _add_transformer(net, case, branch)


def _add_transformer(net: Any, case: TransmissionCase, branch: int) -> None:
    """Add one transformer; its charging, if any, stands as shunts at its two ends."""
    import pandapower

    branches, kv = case.branches, case.buses.base_kv
    f, t = int(branches.from_bus[branch]), int(branches.to_bus[branch])
    from_is_high = kv[f] >= kv[t]
    hv, lv = (f, t) if from_is_high else (t, f)
    r, x, ratio = branches.r_pu[branch], branches.x_pu[branch], branches.ratio[branch]
    shift_deg = branches.shift_deg[branch]
    pandapower.create_transformer_from_parameters(
        net,
        hv,
        lv,
        sn_mva=case.base_mva,
        vn_hv_kv=kv[hv],
        vn_lv_kv=kv[lv],
        vkr_percent=r * 100.0,
        vk_percent=float(np.copysign(np.hypot(r, x), x)) * 100.0,
        pfe_kw=0.0,
        i0_percent=0.0,
        shift_degree=shift_deg if from_is_high else -shift_deg,
        tap_side="hv" if from_is_high else "lv",
        tap_neutral=0,
        tap_min=0,
        tap_max=1,
        tap_pos=1,
        tap_step_percent=(ratio - 1.0) * 100.0,
        tap_changer_type="Ratio",
    )
    half_mvar = 0.5 * branches.b_pu[branch] * case.base_mva
    if half_mvar:
        pandapower.create_shunt(net, f, q_mvar=-half_mvar / ratio**2)
        pandapower.create_shunt(net, t, q_mvar=-half_mvar)
