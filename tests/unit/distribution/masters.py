"""Three master files of different structure, written for the tests; all are radial and at their peak."""

from __future__ import annotations

from dataclasses import dataclass

SUBURB = """\
clear
! 115 kV over two transformers in a row to 4.16 kV, centre-tapped services, a load on one leg of each
new circuit.suburb bus1=trans basekv=115 pu=1.02 angle=0 r1=0.4 x1=2.5 r0=0.4 x0=2.5
new transformer.bulk windings=2 buses=(trans sub) conns=(delta wye) kvs=(115 12.47) kvas=(12000 12000) xhl=9
~ %loadloss=0.8
new linecode.main nphases=3 units=kft r1=0.06 x1=0.12 r0=0.14 x0=0.37 c1=3.5 c0=1.5 normamps=400
new linecode.tap nphases=1 units=kft r1=0.2 x1=0.14 r0=0.2 x0=0.14 c1=2 c0=2 normamps=150
new line.express bus1=sub bus2=north linecode=main length=6 units=kft
new transformer.step windings=2 buses=(north old) conns=(delta wye) kvs=(12.47 4.16) kvas=(1500 1500) xhl=5
~ %loadloss=1
new line.old bus1=old bus2=end linecode=main length=2 units=kft
new line.a phases=1 bus1=north.1 bus2=na.1 linecode=tap length=1.5 units=kft
new line.b phases=1 bus1=north.2 bus2=nb.2 linecode=tap length=2.5 units=kft
new transformer.ha phases=1 windings=3 buses=(na.1.0 ha.1.0 ha.0.2) kvs=(7.2 0.12 0.12) kvas=(50 50 50)
~ xhl=2.4 xht=2.4 xlt=1.6 %rs=(0.6 1.2 1.2)
new transformer.hb phases=1 windings=3 like=ha buses=(nb.2.0 hb.1.0 hb.0.2)
new line.drop phases=2 bus1=hb.1.2 bus2=house.1.2 length=0.08 units=kft
~ r1=0.08 x1=0.03 r0=0.08 x0=0.03 c1=0 c0=0 normamps=180
new transformer.oc phases=1 windings=3 buses=(end.3.0 oc.1.0 oc.0.2) kvs=(2.4 0.12 0.12) kvas=(25 25 25)
~ xhl=2.4 xht=2.4 xlt=1.6 %rs=(0.6 1.2 1.2)
new load.ha bus1=ha.1.2 phases=1 kv=0.24 kw=20 pf=0.96
new load.ha_leg bus1=ha.1 phases=1 kv=0.12 kw=5 pf=0.9
new load.house bus1=house.1.2 phases=1 conn=delta kv=0.24 kw=16 kvar=4
new load.oc_leg bus1=oc.2 phases=1 kv=0.12 kw=6 kvar=2 model=2
new load.shops bus1=end phases=3 kv=4.16 kw=700 kvar=210
set voltagebases=[115, 12.47, 4.16, 0.208]
calcvoltagebases
solve
"""
"""Several transformers in a row, three of them centre-tapped."""

DELTA = """\
clear
! a three-wire 4.8 kV feeder: every load between phases, one of them behind a delta-delta bank
new circuit.delta bus1=src basekv=4.8 pu=1.0 angle=0 r1=0.02 x1=0.2 r0=0.02 x0=0.2
new line.m1 bus1=src bus2=n1 length=0.9 units=mi r1=0.3 x1=0.62 r0=0.6 x0=1.8 c1=0 c0=0 normamps=350
new line.m2 bus1=n1 bus2=n2 length=0.5 units=mi r1=0.45 x1=0.65 r0=0.8 x0=1.9 c1=0 c0=0 normamps=250
new line.side phases=2 bus1=n1.2.3 bus2=s1.2.3 length=0.4 units=mi r1=0.5 x1=0.7 r0=0.9 x0=2 c1=0 c0=0
~ normamps=200
new transformer.bank windings=2 buses=(n2 low) conns=(delta delta) kvs=(4.8 0.48) kvas=(300 300) xhl=4
~ %loadloss=1.2
new load.ab bus1=n1.1.2 phases=1 conn=delta kv=4.8 kw=140 kvar=60
new load.bc bus1=s1.2.3 phases=1 conn=delta kv=4.8 kw=90 kvar=30 model=5
new load.abc bus1=n2 phases=3 conn=delta kv=4.8 kw=420 kvar=200
new load.plant bus1=low phases=3 conn=delta kv=0.48 kw=150 kvar=60
set voltagebases=[4.8, 0.48]
calcvoltagebases
solve
"""
"""Delta service without a neutral."""

RURAL = """\
clear
! 24.9 kV, two sets of regulators in a row, capacitors in star, in delta and on one phase
new circuit.rural bus1=hv basekv=69 pu=1.05 angle=0 r1=0.8 x1=4 r0=0.8 x0=4
new transformer.sub windings=2 buses=(hv mv) conns=(delta wye) kvs=(69 24.9) kvas=(5000 5000) xhl=8
~ %loadloss=1 wdg=2 maxtap=1.1 mintap=0.9 numtaps=32
new regcontrol.sub transformer=sub winding=2 vreg=122 band=2 ptratio=120 delay=30
new linecode.long nphases=3 units=mi rmatrix=(1.34 | 0.21 1.32 | 0.21 0.21 1.33)
~ xmatrix=(1.35 | 0.58 1.36 | 0.5 0.46 1.36) cmatrix=(14 | -4 15 | -3 -3 14) normamps=230
new line.l1 bus1=mv bus2=k1 linecode=long length=9 units=mi
new transformer.r1a phases=1 buses=(k1.1 k2.1) kvs=(14.376 14.376) kvas=(2000 2000) xhl=0.01 %loadloss=0.001
new transformer.r1b like=r1a buses=(k1.2 k2.2)
new transformer.r1c like=r1a buses=(k1.3 k2.3)
new regcontrol.r1a transformer=r1a winding=2 vreg=123 band=2 ptratio=120 ctprim=100 r=2 x=1.5 delay=45
new regcontrol.r1b like=r1a transformer=r1b
new regcontrol.r1c like=r1a transformer=r1c
new line.l2 bus1=k2 bus2=k3 linecode=long length=7 units=mi
new transformer.r2 phases=3 windings=2 buses=(k3 k4) conns=(wye wye) kvs=(24.9 24.9) kvas=(3000 3000)
~ xhl=0.01 %loadloss=0.001
new regcontrol.r2 transformer=r2 winding=2 vreg=123 band=2 ptratio=120 delay=60
new line.l3 bus1=k4 bus2=k5 linecode=long length=5 units=mi
new line.spur phases=1 bus1=k2.2 bus2=s2.2 length=6 units=mi
~ r1=2.8 x1=1.49 r0=2.8 x0=1.49 c1=9 c0=9 normamps=150
new capacitor.star bus1=k5 phases=3 kv=24.9 kvar=450
new capacitor.delta bus1=k3 phases=3 conn=delta kv=24.9 kvar=300
new capacitor.one bus1=s2.2 phases=1 kv=14.376 kvar=50
new load.village bus1=k5 phases=3 kv=24.9 kw=850 kvar=420
new load.farm bus1=s2.2 phases=1 kv=14.376 kw=130 kvar=65 model=2
new load.mill bus1=k3.1.3 phases=1 conn=delta kv=24.9 kw=240 kvar=130
new load.pump bus1=k4.3 phases=1 kv=14.376 kw=110 kvar=60
set voltagebases=[69, 24.9]
calcvoltagebases
solve
"""
"""Long lines, regulators that watch each other, capacitors of three forms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMaster:
    """A master file and a table of DERs for it."""

    text: str
    table: str
    """Rows of the table."""
    uncovered_count: int
    """Nodes that the tree's map leaves out."""


HEADER = "name,kind,bus,phases,kw,kwh,kva,owner,aggregator,profile\n"
MASTERS = {
    "suburb": OwnMaster(
        text=SUBURB,
        table=(
            "roof_ha,pv,ha,12,8,,9,ann,,south\n"
            "roof_leg,pv,oc,2,2,,,bob,,\n"
            "wall,battery,house,12,5,13,5.5,cem,flexco,\n"
            "field,pv,end,123,300,,330,dee,,west\n"
        ),
        uncovered_count=8,
    ),
    "delta": OwnMaster(
        text=DELTA,
        table=(
            "hall,pv,s1,23,60,,66,eva,,south\n"
            "store,battery,n2,123,200,400,,fay,flexco,\n"
            "shed,pv,low,12,40,,,gus,,west\n"
        ),
        uncovered_count=3,
    ),
    "rural": OwnMaster(
        text=RURAL,
        table=(
            "barn,pv,s2,2,100,,,hal,,south\n"
            "park,pv,K5,123,900,,1000,ida,,west\n"
            "tank,battery,k4,3,80,160,,jon,flexco,\n"
        ),
        uncovered_count=0,
    ),
}
